"""`simclr` on the command line, from a wheel that carries the program."""
import os
import sys


def main():
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "simclr")
    os.execv(program, [program] + sys.argv[1:])
