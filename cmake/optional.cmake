# What the build can do without: each is found or not, said in the summary, and known to the sources by one definition.
set(SIMCLR_OPTIONAL)         # targets that the library links
set(SIMCLR_PC_OPTIONAL "")   # flags for simclr.pc: not modules, whose own private needs (libcurl has ten) may not be installed
set(SIMCLR_LINK_OPTIONAL)    # libraries for simclrConfig.cmake

# simclr_optional(WHAT FLAG ROOM DEFINITION MODULE LIBRARY PACKAGE): FLAG is the option that switches it off.
function(simclr_optional WHAT FLAG ROOM DEFINITION MODULE LIBRARY PACKAGE)
  option(${FLAG} "${WHAT} where ${MODULE} is found" ON)
  if(${FLAG})
    pkg_check_modules(${DEFINITION} IMPORTED_TARGET GLOBAL ${MODULE})
  endif()
  if(${FLAG} AND ${DEFINITION}_FOUND)
    target_compile_definitions(${ROOM} PUBLIC ${DEFINITION})
    target_link_libraries(${ROOM} PUBLIC PkgConfig::${DEFINITION})
    set(SIMCLR_OPTIONAL ${SIMCLR_OPTIONAL} PkgConfig::${DEFINITION} PARENT_SCOPE)
    set(SIMCLR_PC_OPTIONAL "${SIMCLR_PC_OPTIONAL} -l${LIBRARY}" PARENT_SCOPE)
    set(SIMCLR_LINK_OPTIONAL ${SIMCLR_LINK_OPTIONAL} ${LIBRARY} PARENT_SCOPE)
    message(STATUS "simclr: ${WHAT}: yes (${MODULE} ${${DEFINITION}_VERSION})")
  else()
    message(STATUS "simclr: ${WHAT}: no (${PACKAGE} is not installed or switched off)")
  endif()
endfunction()

simclr_optional("tar archives packed with zstd" SIMCLR_WITH_ZSTD room_data SIMCLR_ZSTD libzstd zstd libzstd-dev)
simclr_optional("data fetch" SIMCLR_WITH_CURL room_command SIMCLR_CURL libcurl curl libcurl4-openssl-dev)
simclr_optional("WebP pictures" SIMCLR_WITH_WEBP room_image SIMCLR_WEBP libwebp webp libwebp-dev)
# Before 4.5 complaints go to handlers of the whole process, which a library must not set.
simclr_optional("TIFF pictures" SIMCLR_WITH_TIFF room_image SIMCLR_TIFF "libtiff-4>=4.5" tiff libtiff-dev)
