# tests/unit/<room>/test_*.c, tests/ops, tests/golden, tests/system: each file is one cmocka program.
option(SIMCLR_TESTS "Build the tests" ON)
find_path(CMOCKA_INCLUDE cmocka.h)
find_library(CMOCKA_LIBRARY cmocka)
# Seconds that a test may take. Sanitizers, builds without optimisation and emulated processors slow the kernels' tests
# down ten times and more: these get twice the time, and SIMCLR_TEST_SHORT (tests/support/short.h) asks the longest of
# them for less.
set(SIMCLR_TEST_TIMEOUT 600)
set(SIMCLR_SCRIPT_TIMEOUT 900)
set(SIMCLR_TEST_ENVIRONMENT SIMCLR_CACHE=none) # nothing of a test lands in the user's own
set(SIMCLR_TEST_FLAGS)
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_C_COMPILER_VERSION VERSION_LESS 13
   AND CMAKE_SYSTEM_PROCESSOR STREQUAL aarch64)
  set(SIMCLR_TEST_FLAGS -fno-tree-vectorize) # gcc 12 for ARM stops with an internal error on sums of double in tests
endif()
if(SIMCLR_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug" OR CMAKE_CROSSCOMPILING)
  set(SIMCLR_TEST_TIMEOUT 1200)
  set(SIMCLR_SCRIPT_TIMEOUT 1800)
  list(APPEND SIMCLR_TEST_ENVIRONMENT SIMCLR_TEST_SHORT=1)
endif()
if(SIMCLR_TESTS AND CMOCKA_INCLUDE AND CMOCKA_LIBRARY)
  # What tests share beyond headers; only what a test calls is linked.
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
  add_library(test_support STATIC ${FILES})
  simclr_flags(test_support)
  target_include_directories(test_support PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_support PUBLIC room_backend room_comm)

  function(simclr_test FILE ROOM LABEL)
    get_filename_component(NAME ${FILE} NAME_WE)
    add_executable(${NAME} ${FILE})
    simclr_flags(${NAME})
    target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_include_directories(${NAME} SYSTEM PRIVATE ${CMOCKA_INCLUDE})
    target_compile_options(${NAME} PRIVATE ${SIMCLR_TEST_FLAGS})
    target_link_libraries(${NAME} PRIVATE test_support room_${ROOM} ${CMOCKA_LIBRARY})
    add_test(NAME ${NAME} COMMAND ${NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${NAME} PROPERTIES LABELS ${LABEL} SKIP_RETURN_CODE 77 TIMEOUT ${SIMCLR_TEST_TIMEOUT}
                         ENVIRONMENT "${SIMCLR_TEST_ENVIRONMENT}")
  endfunction()
  get_property(ROOMS GLOBAL PROPERTY SIMCLR_ROOMS)
  foreach(ROOM ${ROOMS})
    file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${ROOM}/test_*.c)
    foreach(FILE ${FILES})
      simclr_test(${FILE} ${ROOM} unit)
    endforeach()
  endforeach()
  # test_vec holds the vectors of all instruction sets: a file for each beside it.
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/simd/vec_*.c)
  if(SIMCLR_ISA_FOREIGN)
    list(FILTER FILES EXCLUDE REGEX "_(${SIMCLR_ISA_FOREIGN})\\.c$")
  endif()
  target_sources(test_vec PRIVATE ${FILES})
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/ops/test_*.c)
  foreach(FILE ${FILES})
    simclr_test(${FILE} backend ops)
  endforeach()
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/test_*.c)
  foreach(FILE ${FILES})
    simclr_test(${FILE} command golden)
  endforeach()
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/system/test_*.c)
  foreach(FILE ${FILES})
    simclr_test(${FILE} api system)
  endforeach()

  # Writes an exported encoder and features of it, for tests/system/check_torch_export.py.
  add_executable(write_export ${PROJECT_SOURCE_DIR}/tests/system/write_export.c)
  simclr_flags(write_export)
  target_link_libraries(write_export PRIVATE room_checkpoint)

  # Writes tables of features in every format, for tests/system/check_tables.py.
  add_executable(write_tables ${PROJECT_SOURCE_DIR}/tests/system/write_tables.c)
  simclr_flags(write_tables)
  target_include_directories(write_tables PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(write_tables PRIVATE room_run)

  # The program as its users meet it: each script gets the path of the program and of the build folder.
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/system/test_*.sh)
  foreach(FILE ${FILES})
    get_filename_component(NAME ${FILE} NAME_WE)
    add_test(NAME ${NAME} COMMAND bash ${FILE} $<TARGET_FILE:simclr> ${PROJECT_BINARY_DIR}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${NAME} PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT ${SIMCLR_SCRIPT_TIMEOUT}
                         ENVIRONMENT "${SIMCLR_TEST_ENVIRONMENT}")
  endforeach()

  # `ctest -j N` counts halves of processors: `./dev` gives it twice as many as there are, and one (run_tests). A test
  # takes two of them. One that mostly waits, for time limits or for the end of mpirun, takes one, and so runs beside
  # the others. COST: the kernels' tests start first, those that wait beside them, and then the long ones, so that no
  # long one is left for the end.
  set(WAITING test_cluster test_data_fetch test_mpirun test_mpirun_faults test_mpirun_images)
  set(LONG test_cli test_cpu_nt_xent test_decode_box test_far test_faults test_formats test_groups test_info
      test_planning test_predict test_report test_report_judged test_report_runs test_signals)
  # The kernels' tests plan thousands of small operations: memory is not given back to the system between them.
  string(CONCAT KEEPING "GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=2000000000:"
         "glibc.malloc.top_pad=67108864")
  get_property(TESTS DIRECTORY PROPERTY TESTS)
  foreach(NAME ${TESTS})
    get_test_property(${NAME} LABELS LABEL)
    set(HALVES 2)
    set(COST 0)
    if(NAME IN_LIST LONG)
      set(COST 100)
    endif()
    if(NAME IN_LIST WAITING)
      set(HALVES 1)
      set(COST 200)
    elseif(LABEL MATCHES "^(ops|golden)$")
      set(COST 300)
    endif()
    if(LABEL STREQUAL ops)
      set_tests_properties(${NAME} PROPERTIES ENVIRONMENT "${SIMCLR_TEST_ENVIRONMENT};${KEEPING}")
    endif()
    set_tests_properties(${NAME} PROPERTIES PROCESSORS ${HALVES} COST ${COST})
  endforeach()
  foreach(NAME ${WAITING} ${LONG})
    if(NOT NAME IN_LIST TESTS)
      message(FATAL_ERROR "tests.cmake: there is no ${NAME}")
    endif()
  endforeach()
  set_tests_properties(test_scheduling PROPERTIES RUN_SERIAL TRUE) # it measures time

  # The Python package over this build's library, beside this build's program. -DPython3_EXECUTABLE chooses who runs it.
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    string(CONCAT OF_THIS_BUILD "SIMCLR_LIBRARY=$<TARGET_FILE:simclr_shared>;"
           "PYTHONPATH=${PROJECT_SOURCE_DIR}/python:$ENV{PYTHONPATH}")
    add_test(NAME test_python WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
             COMMAND ${Python3_EXECUTABLE} -B python/tests/test_simclr.py $<TARGET_FILE:simclr> ${SIMCLR_SANITIZE})
    set_tests_properties(test_python PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT ${SIMCLR_SCRIPT_TIMEOUT}
      ENVIRONMENT "${SIMCLR_TEST_ENVIRONMENT};${OF_THIS_BUILD}")
  endif()
endif()
