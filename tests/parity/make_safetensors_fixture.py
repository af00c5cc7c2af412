"""Writes tests/checkpoint/fixtures/original.safetensors with the original library (packages: safetensors, numpy).

    python tests/parity/make_safetensors_fixture.py          writes the fixture
    python tests/parity/make_safetensors_fixture.py FILE     reads FILE with the original library and prints it

The C++ test builds the same tensors by the same rule and expects the same bytes.
"""

import pathlib
import sys

import numpy
from safetensors import TensorSpec, safe_open, serialize_file

FIXTURE = pathlib.Path(__file__).parent.parent / "checkpoint" / "fixtures" / "original.safetensors"


def ramp(dtype, *shape):
    return numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def describe(array, dtype):
    return TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)


def write():
    tensors = {
        "b.weight": ramp(numpy.float32, 2, 3),
        "a.bias": ramp(numpy.float32, 3),
        "half": ramp(numpy.float16, 5),
        "ids": ramp(numpy.int64, 2, 2),
        "mask": ramp(numpy.uint8, 7),
        "empty": ramp(numpy.float32, 0, 4),
        "scalar": numpy.array(3.5, dtype=numpy.float64),
        'a "quoted" name': ramp(numpy.int32, 1),
    }
    flat = {name: describe(value, value.dtype.name) for name, value in tensors.items()}
    # numpy has no bfloat16: 1, -2 and 0.5 by their bits.
    brain = numpy.array([0x3F80, 0xC000, 0x3F00], dtype=numpy.uint16)
    flat["brain"] = describe(brain, "bfloat16")
    serialize_file(flat, FIXTURE, metadata={"format": "pt"})


def read(path):
    with safe_open(path, framework="numpy") as file:
        print(file.metadata())
        for name in file.keys():
            tensor = file.get_tensor(name)
            print(name, tensor.dtype, tensor.shape, tensor.ravel()[:8])


if __name__ == "__main__":
    read(sys.argv[1]) if len(sys.argv) > 1 else write()
