"""The toolbox the notebooks import. Import it before mxnet: MXNet reads its settings only once."""

from utils.setup import machine

machine.prepare()
