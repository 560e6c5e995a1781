"""What the program looked like, and a home that it wrote, before its code became one package.

`home.tar.xz`: pictures, a sweep file, the embedded farm's home with jobs that are done, failed, cancelled and
interrupted at a checkpoint, and what `job show --json` printed of each. `surface.json`: every command's options, the
settings, the parameters of a spec, the exit codes. `commands.txt`: the commands of its documentation.
"""
