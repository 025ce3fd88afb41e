# A toolchain for 64-bit ARM on another machine (./dev matrix aarch64): Debian's cross compiler, the libraries of a folder
# SIMCLR_SYSROOT that arm64 packages were unpacked into, and qemu-user to run what is built.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(SIMCLR_SYSROOT $ENV{SIMCLR_SYSROOT})
set(CMAKE_FIND_ROOT_PATH ${SIMCLR_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Libraries that libraries need, when programs are linked.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${SIMCLR_SYSROOT}/usr/lib/aarch64-linux-gnu:${SIMCLR_SYSROOT}/lib/aarch64-linux-gnu")
set(CMAKE_C_FLAGS_INIT "-isystem ${SIMCLR_SYSROOT}/usr/include/aarch64-linux-gnu")
set(ENV{PKG_CONFIG_LIBDIR} ${SIMCLR_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${SIMCLR_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${SIMCLR_SYSROOT})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu
    -E LD_LIBRARY_PATH=${SIMCLR_SYSROOT}/usr/lib/aarch64-linux-gnu:${SIMCLR_SYSROOT}/lib/aarch64-linux-gnu)
