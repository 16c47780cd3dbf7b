/* What a TLS library found wrong with a server's certificate. */
#ifndef ENGINE_CERTIFICATE_H
#define ENGINE_CERTIFICATE_H

enum certificate_fault {
  CERTIFICATE_UNCLEAR,      /* this library's verdicts are not known here */
  CERTIFICATE_WRONG_HOST,   /* it names another host */
  CERTIFICATE_OUT_OF_DATE,  /* it is not valid any more, or not yet */
  CERTIFICATE_UNKNOWN_ISSUER, /* or something else that OpenSSL or GnuTLS has against the chain */
};

/* libraries: libcurl's ssl_version, such as "OpenSSL/3.0.19"; verdict: its CURLINFO_SSL_VERIFYRESULT,
   whose meaning is the library's own; message: its error buffer. */
enum certificate_fault certificate_fault(const char *libraries, long verdict, const char *message);

#endif
