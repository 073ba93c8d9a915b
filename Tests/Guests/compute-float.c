// Abstract: floating point in x87, SSE and AVX registers survives a thousand calls.
#include "guest.h"
#include <xmmintrin.h>

int main(void) {
  double a = 1, b = 0.5;
  long double c = 1;
  float v __attribute__((vector_size(32))) = {1, 2, 3, 4, 5, 6, 7, 8};
  _MM_SET_ROUNDING_MODE(_MM_ROUND_UP);
  for (int i = 1; i <= 1000; i++) {
    a = a * 1.0001 + b / i;
    c = c * 1.0001L + 1.0L / i;
    v = v * 1.001f + 0.5f;
    check(access(".", F_OK) == 0 && getppid() > 0);
  }
  say("%d\n", _MM_GET_ROUNDING_MODE() == _MM_ROUND_UP);
  _MM_SET_ROUNDING_MODE(_MM_ROUND_NEAREST);
  say("%.17g %.20Lg\n", a, c);
  for (int i = 0; i < 8; i++) say("%.9g ", v[i]);
  say("\n");
  done();
}
