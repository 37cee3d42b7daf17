/* Written by polynomials.py; to change a line, change and run that script. */

/* ln2/8; a float32 product with HI and an integer below 2^13 is exact under FMA. */

#define LN2_8_FLOAT_HI 0x1.62e4300000000p-4 /* 0.086643397808074951, 24 bits */
#define LN2_8_FLOAT_LO -0x1.05c610ca86c39p-32 /* -2.3808178749472101e-10 */

/* 37 bits: products with integers below 2^16 are exact without FMA too. */

#define LN2_8_DOUBLE_HI 0x1.62e42fefa0000p-4 /* 0.086643397569787339, 37 bits */
#define LN2_8_DOUBLE_LO 0x1.cf79abc9e3b3ap-43 /* 2.0582436978621353e-13 */

#define LN2_DOUBLE_HI 0x1.62e42fefa4000p-1 /* 0.6931471805601177, 40 bits */
#define LN2_DOUBLE_LO -0x1.8432a1b0e2634p-43 /* -1.7239444525614835e-13 */

/* 2^(i/8) with -i in the exponent field, and the logarithm of what it lacks. */
static const CE_ALIGN64 float exp_table_float[16] = {
    0x1.0000000000000p+0f, /* 1 */
    0x1.f72b800000000p-1f, /* 0.982753754 */
    0x1.f06fe00000000p-1f, /* 0.969603539 */
    0x1.ebfdb00000000p-1f, /* 0.960919857 */
    0x1.ea09e00000000p-1f, /* 0.95710659 */
    0x1.eace500000000p-1f, /* 0.958605289 */
    0x1.ee8a000000000p-1f, /* 0.965896606 */
    0x1.f581900000000p-1f, /* 0.979504108 */
    0x1.0000000000000p+0f, /* 1 */
    0x1.f72b800000000p-1f, /* 0.982753754 */
    0x1.f06fe00000000p-1f, /* 0.969603539 */
    0x1.ebfdb00000000p-1f, /* 0.960919857 */
    0x1.ea09e00000000p-1f, /* 0.95710659 */
    0x1.eace500000000p-1f, /* 0.958605289 */
    0x1.ee8a000000000p-1f, /* 0.965896606 */
    0x1.f581900000000p-1f, /* 0.979504108 */
};
static const CE_ALIGN64 float exp_tau_float[16] = {
    0x0.0p+0f, /* 0 */
    0x1.bbc0ce0000000p-23f, /* 2.0663866e-07 */
    0x1.1250020000000p-25f, /* 3.19341815e-08 */
    -0x1.07f47e0000000p-23f, /* -1.22913647e-07 */
    0x1.21e7c60000000p-22f, /* 2.69995411e-07 */
    0x1.573abe0000000p-23f, /* 1.59828673e-07 */
    -0x1.e843fe0000000p-23f, /* -2.27366385e-07 */
    -0x1.317d9a0000000p-24f, /* -7.11275803e-08 */
    0x0.0p+0f, /* 0 */
    0x1.bbc0ce0000000p-23f, /* 2.0663866e-07 */
    0x1.1250020000000p-25f, /* 3.19341815e-08 */
    -0x1.07f47e0000000p-23f, /* -1.22913647e-07 */
    0x1.21e7c60000000p-22f, /* 2.69995411e-07 */
    0x1.573abe0000000p-23f, /* 1.59828673e-07 */
    -0x1.e843fe0000000p-23f, /* -2.27366385e-07 */
    -0x1.317d9a0000000p-24f, /* -7.11275803e-08 */
};

/* 2^(i/8) with -i in the exponent field, and the logarithm of what it lacks. */
static const CE_ALIGN64 double exp_table_double[8] = {
    0x1.0000000000000p+0, /* 1 */
    0x1.f72b83c7d517bp-1, /* 0.982753866 */
    0x1.f06fe0a31b715p-1, /* 0.969603558 */
    0x1.ebfdad5362a27p-1, /* 0.960919777 */
    0x1.ea09e667f3bcdp-1, /* 0.957106781 */
    0x1.eace5422aa0dbp-1, /* 0.958605413 */
    0x1.ee89f995ad3adp-1, /* 0.965896415 */
    0x1.f5818dcfba487p-1, /* 0.979504043 */
};
static const CE_ALIGN64 double exp_tau_double[8] = {
    0x0.0p+0, /* 0 */
    -0x1.01b15eaa59348p-55, /* -2.79391149e-17 */
    0x1.34d754db0abb6p-55, /* 3.34846233e-17 */
    0x1.690cebb7aafb0p-56, /* 1.95725853e-17 */
    -0x1.3b3efbf5e2229p-54, /* -6.83580866e-17 */
    0x1.db72fc1f0eab4p-55, /* 5.15483012e-17 */
    0x1.c1a7792cb3387p-55, /* 4.87516053e-17 */
    0x1.4a385a63d07a7p-56, /* 1.79012691e-17 */
};

/* (e^r - 1 - r) / r^2
 * on [-0.0434063, 0.0434063], degree 2; adds at most 2^-31.54 to the relative error. */
static const CE_ALIGN64 float exp_tail_float[3] = {
    0x1.0000000000000p-1f, /* 0.5 */
    0x1.555b820000000p-3f, /* 0.166678444 */
    0x1.555c3a0000000p-5f, /* 0.0416699536 */
};

/* (e^r - 1 - r) / r^2
 * on [-0.0434063, 0.0434063], degree 5; adds at most 2^-56.51 to the relative error. */
static const CE_ALIGN64 double exp_tail_double[6] = {
    0x1.000000000002fp-1, /* 0.5 */
    0x1.55555555555d3p-3, /* 0.166666667 */
    0x1.5555554e86d7ep-5, /* 0.0416666666 */
    0x1.1111110aabe47p-7, /* 0.00833333332 */
    0x1.6c1b75a578161p-10, /* 0.00138895898 */
    0x1.a01f94da30068p-13, /* 0.000198423083 */
};

/* (atanh(z)/z - 1) / z^2 as a function of z^2
 * on [0.0, 0.045], degree 3; adds at most 2^-32.69 to the relative error. */
static const CE_ALIGN64 double log_tail_short[4] = {
    0x1.5555551e364a2p-2, /* 0.33333333 */
    0x1.999ac8e846b14p-3, /* 0.20000226 */
    0x1.24102761902d7p-3, /* 0.142608936 */
    0x1.ea8d83dccb7e2p-4, /* 0.119763866 */
};

/* (atanh(z)/z - 1) / z^2 as a function of z^2
 * on [0.0, 0.045], degree 7; adds at most 2^-59.24 to the relative error. */
static const CE_ALIGN64 double log_tail_long[8] = {
    0x1.5555555555555p-2, /* 0.333333333 */
    0x1.999999999a690p-3, /* 0.2 */
    0x1.249249231a4b1p-3, /* 0.142857143 */
    0x1.c71c73ce1c7a2p-4, /* 0.111111119 */
    0x1.745c67a64940fp-4, /* 0.0909084367 */
    0x1.3b33ddbb2a0a7p-4, /* 0.0769537603 */
    0x1.0dd26c84c66c7p-4, /* 0.065874504 */
    0x1.1bdcba50a02afp-4, /* 0.0693022993 */
};

#define LOG1P_SLOPE 0.75

/* log1p(x)/x - LOG1P_SLOPE as a function of x - 1/2
 * on [-0.5, 0.5], degree 9; adds at most 2^-27.37 to the relative error. */
static const CE_ALIGN64 float log1p_tail_float[10] = {
    0x1.f323ee0000000p-5f, /* 0.0609302185 */
    -0x1.2773a80000000p-2f, /* -0.288527131 */
    0x1.0f95500000000p-3f, /* 0.13260901 */
    -0x1.153ef80000000p-4f, /* -0.0676870048 */
    0x1.2c1e2e0000000p-5f, /* 0.0366354845 */
    -0x1.512ffc0000000p-6f, /* -0.020580288 */
    0x1.7b533a0000000p-7f, /* 0.0115760835 */
    -0x1.b6deb40000000p-8f, /* -0.00669662375 */
    0x1.584ad20000000p-8f, /* 0.00525348308 */
    -0x1.b59e220000000p-9f, /* -0.00333875814 */
};

/* log1p(x)/x - LOG1P_SLOPE as a function of x - 1/2
 * on [-0.5, 0.5], degree 21; adds at most 2^-58.93 to the relative error. */
static const CE_ALIGN64 double log1p_tail_double[22] = {
    0x1.f323ecbf984bfp-5, /* 0.0609302162 */
    -0x1.2773a5da90bdbp-2, /* -0.288527099 */
    0x1.0f95b3dc0a107p-3, /* 0.132609754 */
    -0x1.1540afd54af66p-4, /* -0.0676886433 */
    0x1.2bec9fba5578bp-5, /* 0.0366118545 */
    -0x1.50abf6ccbaf61p-6, /* -0.0205488119 */
    0x1.83c50b0c3baa1p-7, /* 0.0118337921 */
    -0x1.c72c62e62d143p-8, /* -0.00694539465 */
    0x1.0f1192237b796p-8, /* 0.00413617914 */
    -0x1.469c8cf990ae3p-9, /* -0.00249184819 */
    0x1.8d3f99e788311p-10, /* 0.00151538255 */
    -0x1.e6f0d03028490p-11, /* -0.000928765634 */
    0x1.2c73e001002d8p-11, /* 0.000573067926 */
    -0x1.74d8fa83de95ep-12, /* -0.000355575154 */
    0x1.cf98d3442cfc2p-13, /* 0.000221060263 */
    -0x1.21ca9ab8147bdp-13, /* -0.000138183319 */
    0x1.78914d64d7931p-14, /* 8.97807091e-05 */
    -0x1.e0934c6aca7b1p-15, /* -5.72890502e-05 */
    0x1.cc44aabf2d21fp-16, /* 2.74341244e-05 */
    -0x1.0f71dde1ed3f9p-16, /* -1.61793704e-05 */
    0x1.a5580f06f06e5p-16, /* 2.51140582e-05 */
    -0x1.1be9b0d5fd40cp-16, /* -1.69225248e-05 */
};
