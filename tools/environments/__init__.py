"""Run the packed notebooks in the environments that readers have: Colab's, and other Pythons.

`stand_ins` lists the environments and builds them, `trial` runs notebooks in one, and
`python -m environments` (`make environments`) tries all of them. `try_gpu` loads MXNet's build for
GPUs on a machine that has none.
"""
