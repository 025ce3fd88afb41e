# What connects the processes of a run: a library for each MPI that is found, loaded only where one has launched the
# program (src/comm/launch.c). The program itself links none.
option(SIMCLR_WITH_MPI "Runs on several processes where an MPI is found" ON)
set(SIMCLR_MPI_ENGINES openmpi mpich CACHE STRING "Which of them")
set(SIMCLR_PLUGINS)

# simclr_mpi(NAME MODULE PACKAGE): MODULE is pkg-config's.
function(simclr_mpi NAME MODULE PACKAGE)
  if(SIMCLR_WITH_MPI AND NAME IN_LIST SIMCLR_MPI_ENGINES)
    pkg_check_modules(SIMCLR_MPI_${NAME} IMPORTED_TARGET ${MODULE})
  endif()
  if(NOT SIMCLR_MPI_${NAME}_FOUND)
    message(STATUS "simclr: runs on several processes by ${NAME}: no (${PACKAGE} is not installed or switched off)")
    return()
  endif()
  set(TARGET simclr-${NAME})
  add_library(${TARGET} MODULE ${PROJECT_SOURCE_DIR}/src/comm/mpi/mpi.c)
  target_include_directories(${TARGET} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  get_target_property(HEADERS PkgConfig::SIMCLR_MPI_${NAME} INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(${TARGET} SYSTEM PRIVATE ${HEADERS})
  target_compile_definitions(${TARGET} PRIVATE SIMCLR_VERSION="${PROJECT_VERSION}")
  simclr_flags(${TARGET})
  target_link_libraries(${TARGET} PRIVATE PkgConfig::SIMCLR_MPI_${NAME})
  if(TARGET simclr)
    add_dependencies(simclr ${TARGET}) # it is loaded from beside the program
  endif()
  install(TARGETS ${TARGET} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/simclr)
  string(TOUPPER ${NAME} WORD)
  target_compile_definitions(room_comm PRIVATE SIMCLR_BUILT_${WORD}=true) # what is missing was not installed
  set(SIMCLR_PLUGINS ${SIMCLR_PLUGINS} ${TARGET} PARENT_SCOPE)
  message(STATUS "simclr: runs on several processes by ${NAME}: yes (${MODULE} ${SIMCLR_MPI_${NAME}_VERSION})")
endfunction()
simclr_mpi(openmpi ompi-c libopenmpi-dev)
simclr_mpi(mpich mpich libmpich-dev)
