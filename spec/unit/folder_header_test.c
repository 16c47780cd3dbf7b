#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/call.h"
#include "../../src/engine/folder_header.h"

/* Checks that the call has one header, this one, and releases the call. */
static void expect(struct call *call, const char *name, const char *value) {
  assert_int_equal(call->request.header_count, 1);
  assert_string_equal(call->request.headers[0].name, name);
  assert_string_equal(call->request.headers[0].value, value);
  call_release(call);
}

static void an_id_goes_as_digits(void **state) {
  (void)state;
  struct call *call = call_new();
  assert_true(folder_header_add_id(&call->request, 123456));
  expect(call, "X-UIPATH-OrganizationUnitId", "123456");
  call = call_new();
  assert_true(folder_header_add_id(&call->request, INT64_MAX));
  expect(call, "X-UIPATH-OrganizationUnitId", "9223372036854775807");
}

static void text_goes_as_key_or_path(void **state) {
  (void)state;
  static const char key[] = "X-UIPATH-FolderKey";
  static const char plain[] = "X-UIPATH-FolderPath";
  static const char encoded[] = "X-UIPATH-FolderPath-Encoded";
  static const struct {
    const char *path, *name, *value;
  } rows[] = {
      {"A0B1C2D3-4567-89ab-cdef-0123456789ab", key, "A0B1C2D3-4567-89ab-cdef-0123456789ab"},
      {"A0B1C2D3-4567-89ab-cdef-0123456789a", plain, "A0B1C2D3-4567-89ab-cdef-0123456789a"},
      {"Shared/Finance and Co", plain, "Shared/Finance and Co"},
      {"123", plain, "123"},
      /* relative: known in the encoded form only */
      {"/Shared", encoded, "LwBTAGgAYQByAGUAZAA="},
      {".", encoded, "LgA="},
      {"..", encoded, "LgAuAA=="},
      {"./A", encoded, "LgAvAEEA"},
      /* spaces that a header would lose */
      {" a", encoded, "IABhAA=="},
      {"a ", encoded, "YQAgAA=="},
      /* not ASCII; the last is beyond 16 bits */
      {"Gr\xC3\xB6\xC3\x9F" "e", encoded, "RwByAPYA3wBlAA=="},
      {"\xE6\x97\xA5\xE6\x9C\xAC/ab", encoded, "5WUsZy8AYQBiAA=="},
      {"Gr\xC3\xB6\xC3\x9F" "e/\xF0\x9F\x98\x80", encoded, "RwByAPYA3wBlAC8APdgA3g=="},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct call *call = call_new();
    assert_true(folder_header_add_path(&call->request, rows[i].path, strlen(rows[i].path)));
    expect(call, rows[i].name, rows[i].value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_id_goes_as_digits),
      cmocka_unit_test(text_goes_as_key_or_path),
  };
  return cmocka_run_group_tests_name("folder_header", tests, NULL, NULL);
}
