# Files that hold kernels for one instruction set are compiled with its flags and run only where the CPU has it.
# Convention: src/backend/cpu/*_avx2.c, *_avx512.c, *_avx512bf16.c, *_amx.c;
# src/{image,augment}/*_avx2.c, *_avx512.c, *_avx512vbmi.c
function(simclr_isa SUFFIX)
  file(GLOB FILES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*/*_${SUFFIX}.c ${PROJECT_SOURCE_DIR}/src/backend/cpu/*_${SUFFIX}.c)
  if(FILES)
    set_source_files_properties(${FILES} PROPERTIES COMPILE_OPTIONS "${ARGN}")
  endif()
endfunction()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  simclr_isa(avx2 -mavx2 -mfma -mf16c)
  simclr_isa(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512)
  simclr_isa(avx512vbmi -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mavx512vnni -mavx2 -mfma -mprefer-vector-width=512)
  simclr_isa(avx512bf16 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mprefer-vector-width=512)
  simclr_isa(amx -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16 -mavx2 -mfma -mprefer-vector-width=512)
endif()
