# simclr_embed(ROOM FILE HEADER SYMBOL): the bytes of a file become a constant of the room, which HEADER declares:
# const char SYMBOL[] and const size_t SYMBOL_bytes. Written when the build is configured, and again when FILE changes.
function(simclr_embed ROOM FILE HEADER SYMBOL)
  file(READ ${PROJECT_SOURCE_DIR}/src/${FILE} HEX HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" HEX "${HEX}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," BYTES "${HEX}")
  set(TEXT "/* made from src/${FILE} by cmake/embed.cmake */\n#include \"${HEADER}\"\n\nconst char ${SYMBOL}[] = {\n${BYTES}\n};\nconst size_t ${SYMBOL}_bytes = sizeof ${SYMBOL};\n")
  set(SOURCE ${PROJECT_BINARY_DIR}/embedded/${SYMBOL}.c)
  file(CONFIGURE OUTPUT ${SOURCE} CONTENT "${TEXT}" @ONLY)
  target_sources(room_${ROOM} PRIVATE ${SOURCE})
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${FILE})
endfunction()
