// Abstract: dlopen of libm, dlsym, dladdr, an error text, and dl_iterate_phdr.
#include "guest.h"
#include <dlfcn.h>
#include <link.h>

static int found;
static int each(struct dl_phdr_info *i, size_t size, void *p) {
  (void)size, (void)p;
  found += strstr(i->dlpi_name, "libm.so") != NULL;
  return 0;
}

int main(void) {
  void *h = dlopen("libm.so.6", RTLD_NOW);
  check(h);
  double (*cosine)(double) = (double (*)(double))dlsym(h, "cos");
  say("%.9f\n", cosine(1.0));
  dl_iterate_phdr(each, NULL);
  say("%d\n", found);
  Dl_info i;
  show(dladdr((void *)cosine, &i) != 0);
  say("%s\n", strrchr(i.dli_fname, '/'));
  show(dlclose(h));
  say("%d\n", dlopen("libnone.so", RTLD_NOW) != NULL);
  say("%s\n", dlerror());
  say("%d\n", dlsym(RTLD_DEFAULT, "printf") != NULL);
  say("%d\n", dlsym(RTLD_NEXT, "malloc") != NULL);
  done();
}
