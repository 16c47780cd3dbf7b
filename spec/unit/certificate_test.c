#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/engine/certificate.h"

static void each_library_has_verdicts_of_its_own(void **state) {
  (void)state;
  static const struct row {
    const char *libraries;
    long verdict;
    const char *message;
    enum certificate_fault expected;
  } rows[] = {
      {"OpenSSL/3.0.19", 0, "", CERTIFICATE_WRONG_HOST},
      {"OpenSSL/3.0.19", 1, "", CERTIFICATE_WRONG_HOST},
      {"OpenSSL/3.0.19", 9, "", CERTIFICATE_OUT_OF_DATE},
      {"OpenSSL/3.0.19", 10, "", CERTIFICATE_OUT_OF_DATE},
      {"OpenSSL/3.0.19", 18, "has expired", CERTIFICATE_UNKNOWN_ISSUER},
      {"LibreSSL/3.3.6", 10, "", CERTIFICATE_OUT_OF_DATE},
      {"(SecureTransport) LibreSSL/3.3.6", 10, "", CERTIFICATE_OUT_OF_DATE},
      {"BoringSSL", 20, "", CERTIFICATE_UNKNOWN_ISSUER},
      {"AWS-LC/1.2", 20, "", CERTIFICATE_UNKNOWN_ISSUER},
      {"quictls/3.1", 20, "", CERTIFICATE_UNKNOWN_ISSUER},
      {"GnuTLS/3.7.9", 0, "", CERTIFICATE_WRONG_HOST},
      {"GnuTLS/3.7.9", 1024 | 2, "", CERTIFICATE_OUT_OF_DATE},
      {"GnuTLS/3.7.9", 512 | 2, "", CERTIFICATE_OUT_OF_DATE},
      {"GnuTLS/3.7.9", 64 | 2, "", CERTIFICATE_UNKNOWN_ISSUER},
      {"GnuTLS/3.7.9", 10, "", CERTIFICATE_UNKNOWN_ISSUER},
      {"(OpenSSL/3.0.19) GnuTLS/3.7.9", 1024 | 2, "", CERTIFICATE_OUT_OF_DATE},
      {"(GnuTLS/3.7.9) OpenSSL/3.0.19", 10, "", CERTIFICATE_OUT_OF_DATE},
      {"mbedTLS/3.6.0", 10, "Cert verify failed: BADCERT_EXPIRED", CERTIFICATE_OUT_OF_DATE},
      {"Schannel", 0, "the certificate is not trusted", CERTIFICATE_UNCLEAR},
      {NULL, 0, "", CERTIFICATE_UNCLEAR},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(certificate_fault(rows[i].libraries, rows[i].verdict, rows[i].message), rows[i].expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_library_has_verdicts_of_its_own)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
