// Abstract: setlocale, wide characters, iconv, strcoll and printf in UTF-8.
#include "guest.h"
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

int main(void) {
  say("%s\n", setlocale(LC_ALL, ""));
  say("%s %s\n", nl_langinfo(CODESET), nl_langinfo(RADIXCHAR));
  wchar_t w[32];
  size_t n = mbstowcs(w, "naïve café €", 32);
  say("%zu\n", n);
  for (size_t i = 0; i < n; i++) w[i] = towupper(w[i]);
  char b[64] = "", o[64] = "";
  wcstombs(b, w, sizeof b);
  say("%s\n", b);
  iconv_t c = iconv_open("UTF-16LE", "UTF-8");
  char *in = b, *out = o;
  size_t inleft = strlen(b), outleft = sizeof o;
  show(iconv(c, &in, &inleft, &out, &outleft));
  say("%zu %016lx\n", sizeof o - outleft, hash(o, sizeof o - outleft));
  show(iconv_close(c));
  c = iconv_open("ISO-8859-1", "UTF-8");
  in = "caf\xc3\xa9", out = o, inleft = 5, outleft = sizeof o;
  show(iconv(c, &in, &inleft, &out, &outleft));
  say("%02x\n", (unsigned char)o[3]);
  say("%d\n", strcoll("abc", "abd") < 0);
  say("%d\n", iconv_open("NO-SUCH", "UTF-8") == (iconv_t)-1);
  done();
}
