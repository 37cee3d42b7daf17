"""Find every polynomial and table under src/math and print them as C.

Each polynomial is the minimax approximation on its interval, by Remez exchange in
100-digit arithmetic, then rounded coefficient by coefficient. Run `python src/math/polynomials.py`
to print constants.h; a test compares it with the file in the tree.
"""

import struct
import sys

import mpmath as mp

mp.mp.dps = 100


def remez(f, low, high, degree, steps=8):
    """Coefficients c minimising max |f(x) - sum c_i x^i| on [low, high], and that maximum."""
    n = degree + 2
    nodes = chebyshev(low, high, n - 1)
    for _ in range(steps):
        system = mp.matrix(n, n)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                system[i, j] = x**j
            system[i, degree + 1] = (-1) ** i
        solution = mp.lu_solve(system, mp.matrix([f(x) for x in nodes]))
        coefficients = [solution[i] for i in range(degree + 1)]
        nodes, worst = extrema(f, coefficients, low, high, n)
    return coefficients, worst


def chebyshev(low, high, m):
    return [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / m) for i in range(m + 1)]


def extrema(f, coefficients, low, high, n):
    """The n alternating extrema of the error on a fine Chebyshev grid, and the largest of them."""
    runs = []
    for x in chebyshev(low, high, 40 * n):
        v = f(x) - mp.polyval(coefficients[::-1], x)
        if runs and (runs[-1][1] > 0) == (v > 0):
            runs[-1] = max(runs[-1], (x, v), key=lambda run: abs(run[1]))
        else:
            runs.append((x, v))
    if len(runs) != n:
        raise ArithmeticError(f"{len(runs)} extrema, {n} wanted: more digits or another start.")
    return [x for x, _ in runs], max(abs(v) for _, v in runs)


def rounded_to(x, bits):
    m, e = mp.frexp(x)
    return float(mp.ldexp(mp.nint(mp.ldexp(m, bits)), int(e) - bits))


def as_float32(x):
    """Nearest float32 of an mpf; going through float64 first would round twice."""
    return rounded_to(x, 24)


def as_float21(x):
    """Nearest float32 with three trailing zeros."""
    return rounded_to(x, 21)


def exp_tail(x):
    """(exp(x) - 1 - x) / x^2 by its series, |x| < 1."""
    return mp.fsum(x**k / mp.factorial(k + 2) for k in range(70))


def atanh_tail(y):
    """(atanh(z)/z - 1) / z^2 as a function of y = z^2."""
    if y < mp.mpf(10) ** -20:
        return mp.mpf(1) / 3 + y / 5
    z = mp.sqrt(y)
    return (mp.atanh(z) / z - 1) / y


LOG1P_SLOPE = mp.mpf(3) / 4


def log1p_tail(t):
    """log1p(x) / x - LOG1P_SLOPE at x = t + 1/2."""
    x = t + mp.mpf(1) / 2
    return (mp.log1p(x) / x if x > mp.mpf(10) ** -50 else 1 - x / 2) - LOG1P_SLOPE


def array(name, ctype, values):
    suffix = "f" if ctype == "float" else ""
    lines = [f"    {v.hex()}{suffix}, /* {v:.9g} */" for v in values]
    body = "\n".join(lines)
    return f"static const CE_ALIGN64 {ctype} {name}[{len(values)}] = {{\n{body}\n}};\n"


def polynomial(name, ctype, f, low, high, degree, what, factor):
    """`factor` times the tail's error is the relative error of the function computed with it."""
    rounding = as_float32 if ctype == "float" else float
    coefficients, worst = remez(f, mp.mpf(low), mp.mpf(high), degree)
    note = (
        f"/* {what}\n * on [{mp.nstr(mp.mpf(low), 6)}, {mp.nstr(mp.mpf(high), 6)}], "
        f"degree {degree}; adds at most 2^{mp.nstr(mp.log(worst * factor, 2), 4)} "
        f"to the relative error. */\n"
    )
    return note + array(name, ctype, [rounding(c) for c in coefficients])


def tables(ctype, copies):
    """T_i, 2^(i/8) with -i in its exponent field, and tau_i = log(2^(i/8)/T_i).

    The float32 entries have 21 bits, and so widen to double by a shift (vec/avx512_f32.h).
    """
    rounding, mantissa, real, integer = (
        (as_float21, 23, "<f", "<I") if ctype == "float" else (float, 52, "<d", "<Q")
    )
    exact = [mp.mpf(2) ** (mp.mpf(i) / 8) for i in range(8)]
    rounded = [rounding(t) for t in exact]
    entries = []
    for i, t in enumerate(rounded):
        bits = struct.unpack(integer, struct.pack(real, t))[0] - (i << (mantissa - 3))
        entries.append(struct.unpack(real, struct.pack(integer, bits))[0])
    nearest = as_float32 if ctype == "float" else float
    tau = [nearest(mp.log(e / mp.mpf(t))) for e, t in zip(exact, rounded)]
    note = "/* 2^(i/8) with -i in the exponent field, and the logarithm of what it lacks. */\n"
    return (
        note
        + array(f"exp_table_{ctype}", ctype, entries * copies)
        + array(f"exp_tau_{ctype}", ctype, tau * copies)
    )


def split_constant(name, value, bits):
    """value = hi + lo with hi of so few bits that its products with small integers are exact."""
    m, e = mp.frexp(value)
    hi = mp.ldexp(mp.nint(mp.ldexp(m, bits)), int(e) - bits)
    return (
        f"#define {name}_HI {float(hi).hex()} /* {float(hi):.17g}, {bits} bits */\n"
        f"#define {name}_LO {float(value - hi).hex()} /* {float(value - hi):.17g} */\n"
    )


def constants():
    step = mp.log(2) / 8
    half = step / 2 * (1 + mp.mpf(2) ** -9)
    yield "/* Written by polynomials.py; to change a line, change and run that script. */\n"
    yield "/* ln2/8; a float32 product with HI and an integer below 2^13 is exact under FMA. */\n"
    yield split_constant("LN2_8_FLOAT", step, 24)
    yield "/* 37 bits: products with integers below 2^16 are exact without FMA too. */\n"
    yield split_constant("LN2_8_DOUBLE", step, 37)
    yield split_constant("LN2_DOUBLE", mp.log(2), 40)
    yield tables("float", 2)
    yield tables("double", 1)
    tail = "(e^r - 1 - r) / r^2"
    yield polynomial("exp_tail_float", "float", exp_tail, -half, half, 2, tail, half**2)
    yield polynomial("exp_tail_double", "double", exp_tail, -half, half, 5, tail, half**2)
    tail = "(atanh(z)/z - 1) / z^2 as a function of z^2"
    for name, ctype, top, degree in (
        ("log_tail_short", "double", "0.045", 3),
        ("log_tail_long", "double", "0.045", 7),
    ):
        yield polynomial(name, ctype, atanh_tail, 0, top, degree, tail, mp.mpf(top))
    yield f"#define LOG1P_SLOPE {float(LOG1P_SLOPE)}\n"
    tail = "log1p(x)/x - LOG1P_SLOPE as a function of x - 1/2"
    for ctype, degree in (("float", 9), ("double", 21)):
        name, factor = f"log1p_tail_{ctype}", 1 / mp.log(2)
        yield polynomial(name, ctype, log1p_tail, "-0.5", "0.5", degree, tail, factor)


if __name__ == "__main__":
    sys.stdout.write("\n".join(constants()))
