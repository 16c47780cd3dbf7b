/* Preloaded beside a sanitizer's runtime: only the program itself was meant, and none that it starts. Shells end badly under
   ThreadSanitizer, and AddressSanitizer finds leaks in everybody's tools. */
#include <stdlib.h>

__attribute__((constructor)) static void leave_children_alone(void) {
  unsetenv("LD_PRELOAD");
}
