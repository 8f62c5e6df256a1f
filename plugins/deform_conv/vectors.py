"""Vectors that write LLVM instructions when computed with: a kernel reads as maths and compiles in 0.1 s.

    kernel = Kernel("double", pointers=["x", "y"], integers=["n"], lanes=16)
    kernel.loop(kernel["n"], 16, lambda i: kernel.store(kernel.load(F32, at("x", i)) * 2.0, at("y", i)))
    double = kernel.compile()     # a C function for the widest registers of this machine; it runs without the GIL

Only llvmlite is needed, the compiler inside Numba. Numba's own loops stay scalar here: a gather vectorises only where
the output is known not to alias the input, which Python code has no way to say.
"""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]

BOOL, BYTE, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F32 = ir.FloatType()
POINTER = ir.PointerType()
# rows of bfloat16 begin at any even address; x86 and ARM load vectors from there at full speed
ALIGN_BYTES = 2
# bfloat16 is the high half of a float32
HIGH_HALF = -0x10000


def native_lanes() -> int:
    """Return how many float32 fit into a register of this machine."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


class Vector:
    """A float32, an int32 or a truth in every lane. Operators take another vector of that type, or a number."""

    def __init__(self, kernel: "Kernel", value: Any) -> None:
        self.kernel, self.value = kernel, value
        self.is_float = value.type.element == F32

    def __add__(self, other: "Vector | float") -> "Vector":
        return self._emit("fadd" if self.is_float else "add", other)

    def __sub__(self, other: "Vector | float") -> "Vector":
        return self._emit("fsub" if self.is_float else "sub", other)

    def __rsub__(self, other: float) -> "Vector":
        return Vector(self.kernel, self._operand(other)) - self

    def __mul__(self, other: "Vector | float") -> "Vector":
        return self._emit("fmul" if self.is_float else "mul", other)

    def __rtruediv__(self, other: float) -> "Vector":
        return Vector(self.kernel, self.kernel.builder.fdiv(self._operand(other), self.value))

    def __and__(self, other: "Vector | int") -> "Vector":
        return self._emit("and_", other)

    def __or__(self, other: "Vector | int") -> "Vector":
        return self._emit("or_", other)

    def __lshift__(self, other: "Vector | int") -> "Vector":
        return self._emit("shl", other)

    def __rshift__(self, other: int) -> "Vector":
        """Shift zeros in from the left."""
        return self._emit("lshr", other)

    def fma(self, factor: "Vector", summand: "Vector | float") -> "Vector":
        """Return self * factor + summand, rounded once."""
        return self._intrinsic("llvm.fma", factor.value, self._operand(summand))

    def floor(self) -> "Vector":
        """Round down; the result is still float."""
        return self._intrinsic("llvm.floor")

    def between(self, low: int, high: "Vector") -> "Vector":
        """Return the nearest int32 in [low, high]."""
        return self._intrinsic("llvm.smax", self._operand(low))._intrinsic("llvm.smin", high.value)

    def equals(self, number: int) -> "Vector":
        """Return where int32 are this number."""
        return Vector(self.kernel, self.kernel.builder.icmp_signed("==", self.value, self._operand(number)))

    def select(self, then: "Vector", otherwise: "Vector | float") -> "Vector":
        """Return one vector's lanes where self is true, the other's where it is not."""
        return Vector(self.kernel, self.kernel.builder.select(self.value, then.value, then._operand(otherwise)))

    def clamp(self, low: "Vector | float", high: "Vector | float") -> "Vector":
        """Return the nearest float in [low, high]; NaN becomes low, because no comparison with it is true."""
        builder, low, high = self.kernel.builder, self._operand(low), self._operand(high)
        raised = builder.select(builder.fcmp_ordered(">", self.value, low), self.value, low)
        return Vector(self.kernel, builder.select(builder.fcmp_ordered("<", raised, high), raised, high))

    def is_index_into(self, length: "Vector") -> "Vector":
        """Return where 0 <= self < length: one comparison, as a negative number is a huge unsigned one."""
        return Vector(self.kernel, self.kernel.builder.icmp_unsigned("<", self.value, length.value))

    def to_int(self) -> "Vector":
        """Convert whole floats to int32."""
        return Vector(self.kernel, self.kernel.builder.fptosi(self.value, self.kernel.of(I32)))

    def to_float(self) -> "Vector":
        """Convert int32 to float32."""
        return Vector(self.kernel, self.kernel.builder.sitofp(self.value, self.kernel.of(F32)))

    def bits(self) -> "Vector":
        """Read the bits of a float32 as int32, or the other way round."""
        return Vector(
            self.kernel, self.kernel.builder.bitcast(self.value, self.kernel.of(I32 if self.is_float else F32))
        )

    def _emit(self, operation: str, other: "Vector | float") -> "Vector":
        return Vector(self.kernel, getattr(self.kernel.builder, operation)(self.value, self._operand(other)))

    def _intrinsic(self, name: str, *arguments: Any) -> "Vector":
        return Vector(self.kernel, self.kernel.call(name, [self.value.type], self.value.type, self.value, *arguments))

    def _operand(self, other: "Vector | float") -> Any:
        return other.value if isinstance(other, Vector) else ir.Constant(self.value.type, [other] * self.kernel.lanes)


class Kernel:
    """A C function being written: its arguments, its loops and its memory. Scalars are 64-bit integers."""

    def __init__(self, name: str, pointers: Sequence[str], integers: Sequence[str], lanes: int) -> None:
        self.name, self.lanes = name, lanes
        self.module = ir.Module(name)
        self.module.triple = binding.get_default_triple()
        types = [POINTER] * len(pointers) + [I64] * len(integers)
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), types), name)
        self.arguments = dict(zip([*pointers, *integers], function.args, strict=True))
        self.ctypes = [ctypes.c_void_p] * len(pointers) + [ctypes.c_int64] * len(integers)
        self.builder = ir.IRBuilder(function.append_basic_block())

    def __getitem__(self, argument: str) -> Any:
        return self.arguments[argument]

    def of(self, element: Any) -> Any:
        """Return the type of a vector of such elements."""
        return ir.VectorType(element, self.lanes)

    def add(self, a: Any, b: Any) -> Any:
        """Add two scalars; like in the operations below, either may be a Python integer."""
        return self.builder.add(_scalar(a), _scalar(b))

    def sub(self, a: Any, b: Any) -> Any:
        """Subtract two scalars."""
        return self.builder.sub(_scalar(a), _scalar(b))

    def mul(self, a: Any, b: Any) -> Any:
        """Multiply two scalars."""
        return self.builder.mul(_scalar(a), _scalar(b))

    def divmod(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Divide two scalars, neither negative."""
        return self.builder.udiv(_scalar(a), _scalar(b)), self.builder.urem(_scalar(a), _scalar(b))

    def minimum(self, a: Any, b: Any) -> Any:
        """Return the lesser of two scalars."""
        a, b = _scalar(a), _scalar(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def splat(self, scalar: Any) -> Vector:
        """Return a scalar as int32 in every lane."""
        first = self.builder.insert_element(
            ir.Constant(self.of(I32), ir.Undefined), self.builder.trunc(scalar, I32), I32(0)
        )
        return self._shuffle(first, [0] * self.lanes)

    def constant(self, number: float) -> Vector:
        """Return a float32 in every lane."""
        return Vector(self, ir.Constant(self.of(F32), [number] * self.lanes))

    def lanes_below(self, count: Any) -> Vector:
        """Return truth in the first `count` lanes."""
        return Vector(self, self.builder.icmp_signed("<", self.lane_numbers().value, self.splat(count).value))

    def lane_numbers(self) -> Vector:
        """Return 0, 1, 2 ... as int32."""
        return Vector(self, ir.Constant(self.of(I32), list(range(self.lanes))))

    def every_lane(self) -> Vector:
        """Return truth in all lanes."""
        return Vector(self, ir.Constant(self.of(BOOL), [1] * self.lanes))

    def loop(self, stop: Any, step: int, body: Callable[[Any], None]) -> Any:
        """Run the body for 0, step, 2 * step... below stop; returns the first index left out."""
        before = self.builder.block
        head, inside, after = self._blocks()
        index = self.builder.phi(I64)
        index.add_incoming(I64(0), before)
        self.builder.cbranch(self.builder.icmp_signed("<", index, stop), inside, after)
        self.builder.position_at_end(inside)
        body(index)
        following = self.builder.add(index, I64(step))
        index.add_incoming(following, self.builder.block)
        self.builder.branch(head)
        self.builder.position_at_end(after)
        return index

    def claim(self, counter: Any, stop: Any, body: Callable[[Any], None]) -> None:
        """Run the body for every index below stop that no other thread took from the counter in memory."""
        head, inside, after = self._blocks()
        index = self.builder.atomic_rmw("add", counter, I64(1), "monotonic")
        self.builder.cbranch(self.builder.icmp_signed("<", index, stop), inside, after)
        self.builder.position_at_end(inside)
        body(index)
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def when_positive(self, scalar: Any) -> AbstractContextManager[Any]:
        """Enter the block only if the scalar is above 0."""
        block: AbstractContextManager[Any] = self.builder.if_then(self.builder.icmp_signed(">", scalar, I64(0)))
        return block

    def at(self, pointer: str, index: Any, size_bytes: int) -> Any:
        """Return the address of an element of an argument."""
        return self.builder.gep(self[pointer], [self.mul(index, size_bytes)], source_etype=BYTE)

    def load(self, element: Any, address: Any, live: Vector | None = None) -> Vector:
        """Read neighbouring elements; lanes that are not live read 0 and touch nothing."""
        return Vector(self, self._load(self.of(element), address, live.value if live else None))

    def load_pairs(self, address: Any, live: Vector | None = None) -> tuple[Vector, Vector]:
        """Read twice as many float32; returns those at even and those at odd places."""
        evens, odds = list(range(0, 2 * self.lanes, 2)), list(range(1, 2 * self.lanes, 2))
        twice = None
        if live:
            twice = self._shuffle(live.value, [place // 2 for place in range(2 * self.lanes)]).value
        both = self._load(ir.VectorType(F32, 2 * self.lanes), address, twice)
        return self._shuffle(both, evens), self._shuffle(both, odds)

    def load_halves(self, address: Any, live: Vector | None = None) -> Vector:
        """Read neighbouring 16-bit integers as int32, without a sign."""
        return Vector(self, self.builder.zext(self.load(I16, address, live).value, self.of(I32)))

    def load_parts(self, element: Any, addresses: Sequence[Any]) -> Vector:
        """Read neighbouring elements from each address in turn, as many as fill a vector; 16-bit integers as int32."""
        part = ir.VectorType(element, self.lanes // len(addresses))
        whole = self._joined([self.builder.load(address, align=ALIGN_BYTES, typ=part) for address in addresses])
        return Vector(self, whole if element == F32 else self.builder.zext(whole, self.of(I32)))

    def store(self, vector: Vector, address: Any, live: Vector | None = None) -> None:
        """Write neighbouring elements, only those of live lanes."""
        self._store(vector.value, address, live)

    def store_halves(self, vector: Vector, address: Any, live: Vector | None = None) -> None:
        """Write the low 16 bits of each int32."""
        self._store(self.builder.trunc(vector.value, self.of(I16)), address, live)

    def store_interleaved(self, element: Any, vectors: Sequence[Vector], address: Any, live: Vector) -> None:
        """Write the first lane of each vector, then the second of each; of int32 the low 16 bits if I16 is asked."""
        values = [self.builder.trunc(v.value, self.of(I16)) if element == I16 else v.value for v in vectors]
        count = len(values)
        while len(values) & (len(values) - 1):  # joined in pairs
            values.append(values[0])
        places = [vector * self.lanes + lane for lane in range(self.lanes) for vector in range(count)]
        each = self._shuffle(live.value, [lane for lane in range(self.lanes) for _ in range(count)])
        self._store(self._shuffle(self._joined(values), places).value, address, each)

    def gather(self, element: Any, start: Any, index: Vector, live: Vector, unit: Any = None) -> Vector:
        """Read the element `index` units past the start in every lane; lanes not live read 0 and touch nothing."""
        addresses = self.builder.gep(start, [index.value], source_etype=unit or element)
        addresses.type = self.of(POINTER)  # llvmlite only knows single addresses
        vector, zeros = self.of(element), ir.Constant(self.of(element), None)
        name, arguments = "llvm.masked.gather", (addresses, I32(ALIGN_BYTES), live.value, zeros)
        return Vector(self, self.call(name, [vector, addresses.type], vector, *arguments))

    def call(self, intrinsic: str, overloads: Sequence[Any], result: Any, *arguments: Any) -> Any:
        """Call an LLVM intrinsic by its name without the types it is overloaded for."""
        name = ".".join([intrinsic, *map(_mangled, overloads)])
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [value.type for value in arguments]), name)
        return self.builder.call(function, arguments)

    def compile(self) -> Callable[..., None]:
        """Finish the function and compile it for this machine's processor."""
        self.builder.ret_void()
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        module = binding.parse_assembly(str(self.module))
        machine = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
        )
        options = binding.create_pipeline_tuning_options(speed_level=2)
        # the loops are vectors already: unrolled, they only take longer to compile
        options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
        passes = binding.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
        engine = binding.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        function = ctypes.CFUNCTYPE(None, *self.ctypes)(engine.get_function_address(self.name))
        function.engine = engine  # type: ignore[attr-defined]  # it owns the code
        return function

    def _blocks(self) -> tuple[Any, Any, Any]:
        """Begin a loop: returns its head, where the builder now is, its body and what follows."""
        head, inside, after = (self.builder.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        return head, inside, after

    def _shuffle(self, vector: Any, places: list[int]) -> Vector:
        order = ir.Constant(ir.VectorType(I32, len(places)), places)
        return Vector(self, self.builder.shuffle_vector(vector, vector, order))

    def _joined(self, values: Sequence[Any]) -> Any:
        """Return one vector of all lanes of a power of two of vectors."""
        while len(values) > 1:
            order = ir.Constant(ir.VectorType(I32, 2 * values[0].type.count), list(range(2 * values[0].type.count)))
            values = [self.builder.shuffle_vector(a, b, order) for a, b in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    def _load(self, vector: Any, address: Any, live: Any) -> Any:
        if live is None:
            return self.builder.load(address, align=ALIGN_BYTES, typ=vector)
        zeros = ir.Constant(vector, None)
        return self.call("llvm.masked.load", [vector, POINTER], vector, address, I32(ALIGN_BYTES), live, zeros)

    def _store(self, value: Any, address: Any, live: Vector | None) -> None:
        if live is None:
            self.builder.store(value, address, align=ALIGN_BYTES)
        else:
            overloads, arguments = [value.type, POINTER], (value, address, I32(ALIGN_BYTES), live.value)
            self.call("llvm.masked.store", overloads, ir.VoidType(), *arguments)


def _scalar(value: Any) -> Any:
    return I64(value) if isinstance(value, int) else value


def _mangled(type_: Any) -> str:
    """Return how LLVM writes a type inside the name of an intrinsic."""
    if isinstance(type_, ir.VectorType):
        return f"v{type_.count}{_mangled(type_.element)}"
    return {POINTER: "p0", F32: "f32"}.get(type_) or f"i{type_.width}"
