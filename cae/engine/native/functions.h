// Functions of single numbers, losses and sums, from operations that IEEE 754 defines exactly: + − × ÷ √ and
// moves of bits, in double precision, rounded to float once. No processor or compiler may give other digits.
// Errors are below 0.501 units in the last place (tests/engine/test_exact.py).
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double of_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

#define LN2_HIGH 0x1.62e42fefa0000p-1  // so few digits that its products with whole numbers are exact
#define LN2_LOW 0x1.cf79abc9e3b3ap-40

// eˣ = 2ᵏ·(1 + q): x = k·ln 2 + r with |r| ≤ ½ ln 2 and q = eʳ − 1. NaN gives NaN.
typedef struct {
  double scale, q;
} Exponential;

static inline Exponential exponential(double x) {
  const double magic = 0x1.8p52;  // adding it rounds to a whole number, in the last bits
  x = x < -300 ? -300 : x;
  x = x > 300 ? 300 : x;
  double rounded = x * 0x1.71547652b82fep0 + magic, k = rounded - magic;
  double r = x - k * LN2_HIGH - k * LN2_LOW;
  // (eʳ − 1)/r: Chebyshev interpolation, relative error 9e-14
  double p = 2.762511557828763e-06;
  p = p * r + 2.4876178959085513e-05;
  p = p * r + 0.00019841208732536384;
  p = p * r + 0.001388882165071769;
  p = p * r + 0.008333333353729397;
  p = p * r + 0.0416666668910917;
  p = p * r + 0.1666666666664829;
  p = p * r + 0.49999999999797773;
  p = p * r + 1.0;
  return (Exponential){of_bits((bits_of(rounded) + 1023) << 52), p * r};
}

static inline double exp_of(double x) {
  Exponential e = exponential(x);
  return e.scale + e.scale * e.q;
}

// ln x = e·ln 2 + 2 artanh s: x = 2ᵉ·m with √½ ≤ m < √2, s = (m − 1)/(m + 1).
static inline double log_of(double x) {
  const uint64_t root_half = 0x3fe6a09e667f3bcdu;
  uint64_t shifted = (bits_of(x) - root_half + ((uint64_t)1023 << 52)) >> 52;
  double m = of_bits(bits_of(x) - ((shifted - 1023) << 52));
  double e = of_bits(shifted | bits_of(0x1p52)) - 0x1p52 - 1023;
  double s = (m - 1) / (m + 1), square = s * s;
  // 2 artanh(s)/s: Chebyshev interpolation, relative error 3e-14
  double p = 0.19609592365158407;
  p = p * square + 0.22174150798053732;
  p = p * square + 0.2857216841420338;
  p = p * square + 0.3999999487097937;
  p = p * square + 0.6666666667964496;
  p = p * square + 1.999999999999947;
  double y = e * LN2_HIGH + (s * p + e * LN2_LOW);
  y = x < INFINITY ? y : x;
  y = x == 0 ? -INFINITY : y;
  return x < 0 ? NAN : y;
}

// ln(1 + x), x ≥ 0: what 1 + x loses of x is added to first order.
static inline double log1p_of(double x) {
  double sum = 1 + x;
  return log_of(sum) + (x - (sum - 1)) / sum;
}

static inline double sigmoid_of(double x) { return 1 / (1 + exp_of(-x)); }

// tanh |x| = −E/(E + 2), E = e^(−2|x|) − 1
static inline double tanh_of(double x) {
  Exponential e = exponential(-2 * fabs(x));
  double less_one = e.scale - 1 + e.scale * e.q;
  return copysign(-less_one / (less_one + 2), x);
}

// Φ(−a) = e^(−a²/2)·R(1/(1 + a/5)) for a ≥ 0: the tail of the normal distribution, as in W. J. Cody (1969).
typedef struct {
  double below, density;  // Φ(x) and φ(x)
} Normal;

static inline Normal normal_at(double x) {
  double a = fabs(x);
  a = a > 24 ? 24 : a;
  double power = exp_of(a * a * -0.5), t = 1 / (1 + 0.2 * a);
  // R: Chebyshev interpolation for a ≤ 20, relative error 2e-12; beyond, results are 0 in float
  double p = -0.010816513538840144;
  p = p * t + 0.08306068842128067;
  p = p * t - 0.266160261120735;
  p = p * t + 0.46798336768198645;
  p = p * t - 0.5369591635205234;
  p = p * t + 0.4655677905352148;
  p = p * t - 0.24893917223690223;
  p = p * t + 0.16279114838572767;
  p = p * t + 0.006908972234436888;
  p = p * t + 0.07197687203810894;
  p = p * t + 0.06816331345836099;
  p = p * t + 0.07686889435101554;
  p = p * t + 0.07976436668822168;
  p = p * t + 0.07978972657502476;
  p = p * t - 2.9952678638031664e-08;
  double tail = power * p;
  return (Normal){x < 0 ? tail : 1 - tail, power * 0.39894228040143267794};
}

static inline double gelu_of(double x) { return x * normal_at(x).below; }

static inline double gelu_slope_of(double x) {
  Normal normal = normal_at(x);
  return normal.below + x * normal.density;
}

static inline double sqrt_of(double x) { return sqrt(x); }

static inline double reciprocal_of(double x) { return 1 / x; }

#define MAP(name)                                                      \
  static void name##_all(const float *x, int64_t count, float *y) {    \
    for (int64_t i = 0; i < count; i++) y[i] = (float)name##_of(x[i]); \
  }
MAP(exp)
MAP(log)
MAP(sigmoid)
MAP(tanh)
MAP(gelu)
MAP(gelu_slope)
MAP(sqrt)
MAP(reciprocal)

// The loss of one pixel and its slope.
typedef struct {
  double loss, slope;
} Loss;

// −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) = max(z, 0) − z·t + ln(1 + e^−|z|), slope σ(z) − t
static inline Loss cross_entropy_of(double z, double t) {
  double small = exp_of(-fabs(z)), large = 1 / (1 + small);
  double loss = (z > 0 ? z : 0) - z * t + log1p_of(small);
  return (Loss){loss, (z < 0 ? small * large : large) - t};
}

// (σ(z) − t)², slope 2(σ − t)·σ·(1 − σ)
static inline Loss sigmoid_squared_error_of(double z, double t) {
  double small = exp_of(-fabs(z)), large = 1 / (1 + small), little = small * large;
  double error = (z < 0 ? little : large) - t;
  return (Loss){error * error, 2 * error * (large * little)};
}

// (z − t)², slope 2(z − t)
static inline Loss squared_error_of(double z, double t) { return (Loss){(z - t) * (z - t), 2 * (z - t)}; }

// A sum is computed as eight sums side by side, which are then added in pairs.
#define TERMS 8

static inline double total(const double *sum) {
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

// Compute for each image the sum of its losses, and the slope of every number. CHUNK losses at a time are
// computed and then added, in loops that compilers vectorise.
#define CHUNK 256
#define LOSS(name)                                                                                 \
  static void name##_all(const float *outputs, const float *targets, int64_t images, int64_t size, \
                         float *losses, float *slopes) {                                           \
    for (int64_t n = 0; n < images; n++) {                                                         \
      double sum[TERMS] = {0}, term[CHUNK];                                                        \
      for (int64_t done = 0; done < size; done += CHUNK) {                                         \
        int count = size - done < CHUNK ? (int)(size - done) : CHUNK;                              \
        for (int i = 0; i < count; i++) {                                                          \
          Loss loss = name##_of(outputs[i], targets[i]);                                           \
          term[i] = loss.loss, slopes[i] = (float)loss.slope;                                      \
        }                                                                                          \
        for (int i = count; i % TERMS; i++) term[i] = 0;                                           \
        for (int i = 0; i < count; i += TERMS)                                                     \
          for (int k = 0; k < TERMS; k++) sum[k] += term[i + k];                                   \
        outputs += count, targets += count, slopes += count;                                       \
      }                                                                                            \
      losses[n] = (float)total(sum);                                                               \
    }                                                                                              \
  }
LOSS(cross_entropy)
LOSS(sigmoid_squared_error)
LOSS(squared_error)

// out[a][c] = Σ_b in[a][b][c]
static void sum_middle(const float *in, int64_t outer, int64_t middle, int64_t inner, float *out) {
  for (int64_t a = 0; a < outer; a++, in += middle * inner, out += inner) {
    if (inner == 1) {
      double sum[TERMS] = {0};
      int64_t whole = middle / TERMS * TERMS;
      for (int64_t i = 0; i < whole; i += TERMS)
        for (int k = 0; k < TERMS; k++) sum[k] += in[i + k];
      for (int64_t i = whole; i < middle; i++) sum[i - whole] += in[i];
      out[0] = (float)total(sum);
      continue;
    }
    // TERMS columns at a time: their sums stay in registers.
    for (int64_t c = 0; c < inner; c += TERMS) {
      double sum[TERMS] = {0};
      int64_t count = inner - c < TERMS ? inner - c : TERMS;
      if (count == TERMS)
        for (int64_t b = 0; b < middle; b++)
          for (int k = 0; k < TERMS; k++) sum[k] += in[b * inner + c + k];
      else
        for (int64_t b = 0; b < middle; b++)
          for (int64_t k = 0; k < count; k++) sum[k] += in[b * inner + c + k];
      for (int64_t k = 0; k < count; k++) out[c + k] = (float)sum[k];
    }
  }
}
