# Benchmarks: small programs that are built with the rest but belong to no test.
function(simclr_bench NAME ROOM)
  add_executable(${NAME} ${PROJECT_SOURCE_DIR}/bench/${NAME}.c)
  simclr_flags(${NAME})
  target_link_libraries(${NAME} PRIVATE room_${ROOM})
endfunction()
simclr_bench(bench_views augment)
simclr_bench(bench_conv backend)
