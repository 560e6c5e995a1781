"""`python -m stylefarm`: the command line, where the program `stylefarm` is not on the path."""

from stylefarm.producer.cli import main

main()
