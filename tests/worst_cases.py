"""Inputs that gave the worst errors, or would to a careless kernel, each with its reason.

ROWS holds (reason, logits), tested on every output with each class as the label. A logit may be a
decimal or, where the last bit matters, a hex string. WEIGHTED_ROWS adds dense labels and a row
weight, WEIGHTED_ELEMENTS holds (reason, logit, label, weight).
"""

CONFIDENT_ROWS = (
    ("loss 2.06e-9: 1 + 2.06e-9 rounds to 1 in float32", (20.0, 0.0)),
    ("loss 4.2e-18: below float64's epsilon", (40.0, 0.0)),
    ("two terms: s = 2 exp(-40)", (40.0, 0.0, 0.0)),
    ("loss 3.7e-44: a subnormal float32", (100.0, 0.0)),
    ("loss 5.6e-8: half of float32's epsilon", (16.7, 0.0)),
    ("1 - p = 1.2e-5 loses 8 bits as a difference", (12.0, 0.0, 0.0)),
)

SHIFTS = (
    ("x - m inexact: 64 ULP of softmax if rounded", (0.1, -87.3)),
    ("x - m inexact, |x| < |m|: FastTwoSum's remainder is wrong", (88.7, 0.123456)),
    ("m negative, x far below", (-0.3333333, -103.2)),
    ("float32 neighbours 8 apart", (1e8, 99999992.0, 99999984.0)),
    ("offset at which the reference changes in float32", (512.0, 511.9, 430.0)),
    ("offset just past it", (512.0001, 511.9, 430.0)),
    ("offset at which the reference changes in float64", (2048.0, 2047.9, 1400.0)),
    ("offset just past it, negative", (-2048.0000001, -2048.5, -2700.25)),
    ("a maximum of tiny magnitude", (1e-40, -1e-40, 0.0)),
)

SUMS = (
    ("equal terms: every rounding of a sum has one sign", (0.3,) * 100),
    (
        "16 terms alike: 2.0001 ULP of softmax if eight t w are added in one float32",
        (
            -2.73866153,
            -2.73866463,
            -2.73865771,
            -2.73866987,
            -2.73866129,
            -2.73867369,
            -2.73866725,
            -2.73867083,
            -2.73866916,
            -2.73866606,
            -2.73866177,
            -2.73866963,
            -2.73866892,
            -2.73866749,
            -2.7386663,
            -2.73866463,
        ),
    ),
    (
        "log-sum-exp one binade above its terms: 2.1 ULP if log1p(s) is rounded first, float32",
        (-6.00603723526001, -4.311662197113037, 0.008930257521569729),
    ),
    ("the same in float64", (0.09029364678160935, -2.019281514097114)),
    ("one maximum above equal terms", (1.0, *(0.7,) * 1000)),
    ("equal terms and one other", (2.0, *(0.1,) * 63, -5.0)),
    ("a long row of equal terms, one block and one class", (0.0,) * 4097),
    ("ties", (3.0, 3.0, 3.0, -1.0)),
    ("a tie broken by one float64 ULP", ("0x1.8p+1", "0x1.7ffffffffffffp+1", 0.0)),
    ("a tie broken by one float32 ULP", ("0x1.8p+1", "0x1.7ffffep+1", 0.0)),
)

RANGE = (
    ("logsumexp is 0: m = -log 2, two terms", (-0.6931471805599453, -0.6931471805599453)),
    ("smallest normal float32 entry", (0.0, -87.33655)),
    ("smallest subnormal float32 entry", (0.0, -103.27893)),
    ("rounds to 0 in float32", (0.0, -103.98)),
    ("smallest normal float64 entry", (0.0, -708.3964185322641)),
    ("smallest subnormal float64 entry", (0.0, -744.4400719213812)),
    ("rounds to 0 in float64", (0.0, -745.14)),
    (
        "4.38e-308 without FMA: its low half is subnormal",
        ("0x1.92ee57054e7bap+2", "-0x1.5eb6219d98500p+9"),
    ),
    ("the float32 range", (3.4e38, 0.0, -3.4e38)),
    ("a gap that no exp can see", (1e30, -1e30, 1e30)),
)

# Found uphill by tests.accuracy: 1.50 to 1.56 ULP of softmax, gradient and Hessian, 1.05 to 1.1
# of logsumexp and log_softmax; elements where exp(-|x|) passes the smallest normal, 0.75.
CLIMBED = (
    ("float32 softmax above 1/2", ("0x1.fff7d6p-25", "0x1.190004p-14")),
    ("float32 logsumexp", ("0x1.c8e638p-5", "-0x1.f0214ap-2")),
    ("float64 logsumexp", ("0x1.f2c4c39609c34p-3", "-0x1.1ddd90adf3e83p-1")),
    ("float64 log_softmax", ("-0x1.e576f808a1c31p-2", "-0x1.f4fc1facf8595p-1")),
    (
        "float64 Hessian, 1e-24",
        ("-0x1.01c337a26c2d4p+6", "-0x1.e5920b3b974fap+2", "-0x1.3be7a2c9a605cp+5"),
    ),
    ("float64 loss, subnormal", ("-0x1.66a12e3390790p+9", "-0x1.10eeb7ca51691p+3")),
    ("float64 sigmoid, subnormal", ("0x1.623990ed17810p+9", 0.0)),
    ("float64 log_sigmoid, subnormal", ("0x1.623993570cffbp+9", 0.0)),
    ("float32 sigmoid, subnormal", (-87.92228698730469, 0.0)),
    ("float32 log_sigmoid, subnormal", (87.45966339111328, 0.0)),
)

ROWS = CONFIDENT_ROWS + SHIFTS + SUMS + RANGE + CLIMBED

# A weight or Y lifts a subnormal p into the normal range, where its rounding would show.
WEIGHTED_ROWS = (
    ("Y = 30 above a subnormal float64 p", (0.0, -722.3, -1.0), (10.0, 5.0, 15.0), 1.0),
    ("Y = 1000 above a subnormal float32 p", (0.0, -95.7, -1.0), (300.0, 300.0, 400.0), 1.0),
    ("weight above a subnormal float64 p", (0.0, -741.3), (1.0, 0.0), 1e10),
    ("weight above a subnormal float32 p", (0.0, -101.2), (1.0, 0.0), 1e6),
    ("weight takes a float64 result into the subnormals", (0.0, -705.0), (1.0, 0.0), 1e-3),
    ("weight takes a float32 result into the subnormals", (0.0, -85.0), (1.0, 0.0), 1e-3),
    ("weight near the end of the range", (0.0, -70.0, -300.0), (0.0, 1.0, 0.0), 1e30),
    ("m - x overflows float64, y (m - x) does not", (1.7e308, -1.7e308), (0.9, 0.1), 1.0),
    ("m - x overflows float32, y (m - x) does not", (3.3e38, -3.3e38), (0.9, 0.1), 1.0),
    ("weight pulls a loss back that overflows", (3.3e38, -3.3e38), (0.0, 1.0), 0.25),
    (
        "float32 Hessian, found uphill: 1.54 ULP",
        ("-0x1.1ef340p+3", "-0x1.6b1dd4p+6"),
        ("0x1.1ae9e2p-3", "0x1.b8a432p-1"),
        1.0,
    ),
    (
        "float32 gradient, found uphill: 1.5 ULP, a subnormal label",
        ("0x1.4d4272p-12", "0x1.5e7258p-9"),
        ("0x1p-148", "0x1.fffffcp-1"),
        1.0,
    ),
    (
        "ordinary float32 logits, Y p (1 - p) rounded more than once",
        ("0x1.0b5f4cp-1", "0x1.0ae8a4p-2"),
        ("0x1.6b1e78p-8", "0x1.2e7d34p-9"),
        1.0,
    ),
    (
        "ordinary float64 logits, Y p (1 - p) rounded more than once",
        ("-0x1.3a9fe96859a14p+1", "-0x1.6efb00fdd6444p+1"),
        ("0x1.c73dcf9ff4eb4p-7", "0x1.072ce0157c024p-9"),
        1.0,
    ),
)

WEIGHTED_ELEMENTS = (
    ("weight above a subnormal float64 loss", 740.0, 1.0, 1000.0),
    ("weight above a subnormal float32 loss", 102.0, 1.0, 1000.0),
    ("weight takes a float64 Hessian into the subnormals", -705.0, 0.0, 1e-3),
    ("weight takes a float32 Hessian into the subnormals", -85.0, 0.0, 1e-3),
    ("weight near the end of the range", -70.0, 1.0, 1e30),
    ("float32 loss, found uphill: 1.49 ULP", "0x1.fc6f06p+5", "0x1.fe8c2ep-2", 1.0),
    ("float32 gradient, found uphill: 1.01 ULP", "0x1.f1f98cp-2", "0x1.3ad0b0p-5", 1.0),
    ("float64 loss, found uphill: 1.47 ULP", "0x1.f2bd1a5f2d399p+7", "0x1.f890c97a4a52dp-2", 1.0),
    (
        "float64 gradient, found uphill: 1.01 ULP",
        "0x1.cf91623e3789ep-1",
        "0x1.7a3cc170983eep-3",
        1.0,
    ),
)
