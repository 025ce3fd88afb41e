# libsimclr (static and shared), the program, and what is installed with them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

target_compile_definitions(room_api PRIVATE SIMCLR_VERSION="${PROJECT_VERSION}")
target_compile_definitions(room_export PRIVATE SIMCLR_VERSION="${PROJECT_VERSION}")
target_compile_definitions(room_run PRIVATE SIMCLR_VERSION="${PROJECT_VERSION}")
# Where the libraries of cmake/mpi.cmake are installed, and the way there from the program: a prefix that is given at
# installation changes the first alone.
set(PLUGIN_FOLDER ${CMAKE_INSTALL_FULL_LIBDIR}/simclr)
file(RELATIVE_PATH PLUGIN_FROM_PROGRAM ${CMAKE_INSTALL_FULL_BINDIR} ${PLUGIN_FOLDER})
target_compile_definitions(room_comm PRIVATE SIMCLR_VERSION="${PROJECT_VERSION}"
                           SIMCLR_PLUGIN_FOLDER="${PLUGIN_FOLDER}" SIMCLR_PLUGIN_FROM_PROGRAM="${PLUGIN_FROM_PROGRAM}")
get_property(ROOMS GLOBAL PROPERTY SIMCLR_ROOMS)
set(OBJECTS)
foreach(ROOM ${ROOMS})
  list(APPEND OBJECTS $<TARGET_OBJECTS:room_${ROOM}>)
endforeach()
set(SIMCLR_DEPENDENCIES JPEG::JPEG PNG::PNG ZLIB::ZLIB PkgConfig::YAML ${SIMCLR_OPTIONAL}
    Threads::Threads ${CMAKE_DL_LIBS} m)

# ---- libsimclr.so: everything is compiled hidden; the map makes sure of it ----
set(SIMCLR_MAP ${PROJECT_SOURCE_DIR}/cmake/simclr.map)
add_library(simclr_shared SHARED ${OBJECTS})
target_include_directories(simclr_shared INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(simclr_shared PRIVATE ${SIMCLR_DEPENDENCIES})
target_link_options(simclr_shared PRIVATE -Wl,--version-script=${SIMCLR_MAP} -Wl,--no-undefined)
foreach(SANITIZER ${SIMCLR_SANITIZE})
  target_link_options(simclr_shared PRIVATE -fsanitize=${SANITIZER})
endforeach()
set_target_properties(simclr_shared PROPERTIES OUTPUT_NAME simclr EXPORT_NAME simclr LINKER_LANGUAGE C
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${SIMCLR_MAP})

# ---- libsimclr.a: all rooms in one object whose hidden symbols are local, so that it clashes with nothing ----
find_program(SIMCLR_OBJCOPY NAMES ${CMAKE_OBJCOPY} objcopy REQUIRED)
set(ONE_OBJECT ${PROJECT_BINARY_DIR}/simclr_whole.o)
set(STATIC_LIBRARY ${PROJECT_BINARY_DIR}/libsimclr.a)
add_custom_command(OUTPUT ${STATIC_LIBRARY}
  COMMAND ${CMAKE_LINKER} -r -o ${ONE_OBJECT} ${OBJECTS}
  COMMAND ${SIMCLR_OBJCOPY} --localize-hidden ${ONE_OBJECT}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${STATIC_LIBRARY}
  COMMAND ${CMAKE_AR} rcs ${STATIC_LIBRARY} ${ONE_OBJECT}
  DEPENDS ${OBJECTS} COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking C static library libsimclr.a")
add_custom_target(simclr_static_file ALL DEPENDS ${STATIC_LIBRARY})
add_library(simclr_static INTERFACE)
add_dependencies(simclr_static simclr_static_file)
target_include_directories(simclr_static INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(simclr_static INTERFACE ${STATIC_LIBRARY} ${SIMCLR_DEPENDENCIES})

# ---- the program sees only the public header, and links only what the library exports ----
option(SIMCLR_SHARED_PROGRAM "Link the program to libsimclr.so, for a package that carries both (./dev wheel)" OFF)
file(GLOB CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
if(CLI_SOURCES)
  add_executable(simclr ${CLI_SOURCES})
  simclr_flags(simclr)
  simclr_tidy(simclr)
  if(SIMCLR_SHARED_PROGRAM)
    target_link_libraries(simclr PRIVATE simclr_shared m)
  else()
    target_link_libraries(simclr PRIVATE simclr_static)
    set_property(TARGET simclr PROPERTY LINK_DEPENDS ${STATIC_LIBRARY})
  endif()

  # Manual pages and the completion are printed by the program itself, from the option table.
  set(MAN_FOLDER ${PROJECT_BINARY_DIR}/man)
  set(COMPLETION ${PROJECT_BINARY_DIR}/completion/simclr)
  file(MAKE_DIRECTORY ${MAN_FOLDER} ${PROJECT_BINARY_DIR}/completion)
  add_custom_command(OUTPUT ${MAN_FOLDER}/simclr.1 ${COMPLETION}
    COMMAND simclr man-pages ${MAN_FOLDER}
    COMMAND simclr completion bash > ${COMPLETION}
    DEPENDS simclr COMMENT "Writing manual pages and bash completion")
  add_custom_target(simclr_texts ALL DEPENDS ${MAN_FOLDER}/simclr.1 ${COMPLETION})

  install(TARGETS simclr RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${MAN_FOLDER}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
  install(FILES ${COMPLETION} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()

# ---- for those who build on the library ----
set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/simclr)
file(RELATIVE_PATH SIMCLR_PREFIX_FROM_PC ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/simclr.pc.in ${PROJECT_BINARY_DIR}/simclr.pc @ONLY)
configure_package_config_file(cmake/simclrConfig.cmake.in ${PROJECT_BINARY_DIR}/simclrConfig.cmake
  INSTALL_DESTINATION ${PACKAGE_FOLDER} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/simclrConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS simclr_shared EXPORT simclrTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT simclrTargets NAMESPACE simclr:: DESTINATION ${PACKAGE_FOLDER})
install(FILES ${PROJECT_BINARY_DIR}/simclrConfig.cmake ${PROJECT_BINARY_DIR}/simclrConfigVersion.cmake
        DESTINATION ${PACKAGE_FOLDER})
install(FILES ${STATIC_LIBRARY} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_BINARY_DIR}/simclr.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/simclr DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
