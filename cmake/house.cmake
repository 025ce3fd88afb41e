# Tests of the house itself: the layers hold, the libraries export only what they should, every header stands alone.
if(SIMCLR_TESTS)
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME layers COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
    add_test(NAME layers_self_test
             COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py --self-test)
  endif()
  if(TARGET simclr_shared AND NOT SIMCLR_SANITIZE)
    add_test(NAME symbols COMMAND ${PROJECT_SOURCE_DIR}/tools/check_symbols.sh ${PROJECT_BINARY_DIR})
  endif()
endif()
