/* What a connection depends on, and how a request becomes a libcurl transfer. */
#ifndef ENGINE_TRANSPORT_H
#define ENGINE_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Which of the certificates of authorities that are given a connection is made with: see trust.h. */
enum trust {
  TRUST_DIRECTORY, /* ca_dir, of which OpenSSL reads what a server's chain asks for */
  TRUST_FILE,      /* ca_file */
  TRUST_BOTH,      /* whatever there is */
};

/* Shared by clients and calls; never changes after transport_settings_new. */
struct transport_settings {
  atomic_int references;
  const char *ca_file;           /* NULL: none given */
  const char *ca_dir;            /* NULL: none given */
  const char *proxy;             /* without user and password; NULL: none */
  const char *proxy_user;        /* NULL: none; not percent-encoded, as is the password */
  const char *proxy_password;    /* NULL: none */
  const char *no_proxy;          /* libcurl's CURLOPT_NOPROXY list, or NULL */
  bool insecure;           /* no TLS check, plain http anywhere */
  int64_t connect_timeout_ms;
  enum trust least_trust;        /* with which to begin; TRUST_BOTH where only one is given */
};

/* Copies all of `like` into new settings with one reference; its proxy is a whole one, with user and password. With neither ca_file nor ca_dir the system's hashed directory is taken,
   else its bundle. NULL: no memory. */
struct transport_settings *transport_settings_new(const struct transport_settings *like);
struct transport_settings *transport_settings_retain(struct transport_settings *settings);
void transport_settings_release(struct transport_settings *settings);

/* Whether ca_dir, one or more directories with ':' between them, has certificates under their hashes: OpenSSL looks for no others. */
bool transport_has_certificates(const char *ca_dir);

/* Whether two settings lead to the same connections: connect_timeout_ms, how long one waits for them, is no part of it. */
bool transport_settings_equal(const struct transport_settings *one, const struct transport_settings *other);

#endif
