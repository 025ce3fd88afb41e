# Tests of the house itself: the layers hold, the libraries export only what they should, every header stands alone.
if(SIMCLR_TESTS)
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME layers COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
    add_test(NAME layers_self_test
             COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_layers.py --self-test)
    # The picture in README.md is drawn from the map of rooms.
    add_test(NAME architecture COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/draw_architecture.py --check)
    set_tests_properties(architecture PROPERTIES LABELS house)
    # Sentences and lines have their limits (prose), what documents name exists (docs), and no result depends on the
    # locale of a host program (locale).
    foreach(CHECK prose docs locale)
      add_test(NAME ${CHECK} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_${CHECK}.py)
      add_test(NAME ${CHECK}_self_test
               COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check_${CHECK}.py --self-test)
      set_tests_properties(${CHECK} ${CHECK}_self_test PROPERTIES LABELS house)
    endforeach()
  endif()
  if(TARGET simclr_shared AND NOT SIMCLR_SANITIZE)
    add_test(NAME symbols COMMAND ${PROJECT_SOURCE_DIR}/tools/check_symbols.sh ${PROJECT_BINARY_DIR})
  endif()
endif()
