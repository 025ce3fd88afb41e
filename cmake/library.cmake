# libsimclr (static and shared) and the program.
