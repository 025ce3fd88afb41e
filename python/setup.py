"""What pyproject.toml cannot say: a wheel that carries library and program is not for every system.

`pip install ./python` makes a plain package, which uses the library that is installed. tools/make_wheel.sh, of
`./dev wheel`, puts libsimclr.so, the program and the licences of what they are linked to into simclr/ of a copy, and
runs this there."""
import pathlib

from setuptools import Distribution, setup

options = {}
if (pathlib.Path(__file__).resolve().parent / "simclr" / "lib").is_dir():
    try:
        from setuptools.command.bdist_wheel import bdist_wheel
    except ImportError:  # before setuptools 70.1
        from wheel.bdist_wheel import bdist_wheel

    class Platform(Distribution):
        """It goes to the folder of packages that hold binaries."""

        def has_ext_modules(self):
            return True

    class OneForAll(bdist_wheel):
        """One wheel for all versions of Python: the library is no extension module."""

        def get_tag(self):
            return "py3", "none", super().get_tag()[2]

    options = {"distclass": Platform, "cmdclass": {"bdist_wheel": OneForAll},
               "package_data": {"simclr": ["lib/*", "bin/*", "licences/*"]},
               "entry_points": {"console_scripts": ["simclr = simclr._program:main"]}}
setup(**options)
