/* Settings of connections: copied whole, and equal only where all of them are. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/engine/transport.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct transport_settings *new_settings(const struct transport_settings *like) {
  struct transport_settings *settings = transport_settings_new(like);
  assert_non_null(settings);
  return settings;
}

static void strings_are_copied(void **state) {
  (void)state;
  char file[] = "file", dir[] = "dir", proxy[] = "http://p", no_proxy[] = "*";
  struct transport_settings *settings = new_settings(&(struct transport_settings){
      .ca_file = file, .ca_dir = dir, .proxy = proxy, .no_proxy = no_proxy, .insecure = true, .connect_timeout_ms = 5});
  file[0] = dir[0] = proxy[0] = no_proxy[0] = '-';
  assert_string_equal(settings->ca_file, "file");
  assert_string_equal(settings->ca_dir, "dir");
  assert_string_equal(settings->proxy, "http://p");
  assert_string_equal(settings->no_proxy, "*");
  assert_true(settings->insecure);
  assert_int_equal(settings->connect_timeout_ms, 5);
  assert_ptr_equal(transport_settings_retain(settings), settings);
  transport_settings_release(settings);
  assert_string_equal(settings->ca_file, "file");
  transport_settings_release(settings);
  transport_settings_release(NULL);
}

static void the_systems_directory_serves_where_no_authority_is_given(void **state) {
  (void)state;
  struct transport_settings *none = new_settings(&(struct transport_settings){0});
  struct transport_settings *again = new_settings(&(struct transport_settings){0});
  struct transport_settings *file = new_settings(&(struct transport_settings){.ca_file = "file"});
  struct transport_settings *dir = new_settings(&(struct transport_settings){.ca_dir = "dir"});
  assert_null(none->ca_file);
  assert_null(file->ca_dir);
  assert_null(dir->ca_file);
  assert_string_equal(dir->ca_dir, "dir");
  assert_true(transport_settings_equal(none, again));
  if (none->ca_dir != NULL) {
    DIR *directory = opendir(none->ca_dir);
    assert_non_null(directory);
    closedir(directory);
  }
  transport_settings_release(none);
  transport_settings_release(again);
  transport_settings_release(file);
  transport_settings_release(dir);
}

static void every_setting_tells_settings_apart(void **state) {
  (void)state;
  static const struct transport_settings all[] = {
      {.ca_dir = "d"},
      {.ca_dir = "e"},
      {.ca_dir = "d", .ca_file = "f"},
      {.ca_dir = "d", .ca_file = "g"},
      {.ca_dir = "d", .proxy = "p"},
      {.ca_dir = "d", .proxy = "q"},
      {.ca_dir = "d", .proxy = "u@q"},
      {.ca_dir = "d", .proxy = "v@q"},
      {.ca_dir = "d", .proxy = "u:x@q"},
      {.ca_dir = "d", .proxy = "u:y@q"},
      {.ca_dir = "d", .no_proxy = "n"},
      {.ca_dir = "d", .no_proxy = "o"},
      {.ca_dir = "d", .insecure = true},
      {.ca_file = "f"},
  };
  for (size_t i = 0; i < COUNT(all); i++)
    for (size_t j = 0; j < COUNT(all); j++) {
      struct transport_settings *one = new_settings(&all[i]), *other = new_settings(&all[j]);
      if (transport_settings_equal(one, other) != (i == j)) fail_msg("%d, %d", (int)i, (int)j);
      assert_true(transport_settings_equal(one, one));
      transport_settings_release(one);
      transport_settings_release(other);
    }
}

static void patience_leads_to_no_other_connections(void **state) {
  (void)state;
  struct transport_settings *one = new_settings(&(struct transport_settings){.ca_dir = "d", .connect_timeout_ms = 1});
  struct transport_settings *other = new_settings(&(struct transport_settings){.ca_dir = "d", .connect_timeout_ms = 2});
  assert_true(transport_settings_equal(one, other));
  transport_settings_release(one);
  transport_settings_release(other);
}

static void a_proxy_is_split(void **state) {
  (void)state;
  static const char *const rows[][4] = {
      {"http://proxy:3128", "http://proxy:3128", NULL, NULL},
      {"proxy", "proxy", NULL, NULL},
      {"http://user@proxy/", "http://proxy/", "user", NULL},
      {"user:@proxy", "proxy", "user", ""},
      {"socks5://us%40er:p%3Aa%2fs%@[::1]:1", "socks5://[::1]:1", "us@er", "p:a/s%"},
      {"https://user:p@s/s:1@proxy:1", "https://proxy:1", "user", "p@s/s:1"},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    struct transport_settings *settings = new_settings(&(struct transport_settings){.proxy = rows[i][0]});
    assert_string_equal(settings->proxy, rows[i][1]);
    if (rows[i][2] == NULL) assert_null(settings->proxy_user);
    else assert_string_equal(settings->proxy_user, rows[i][2]);
    if (rows[i][3] == NULL) assert_null(settings->proxy_password);
    else assert_string_equal(settings->proxy_password, rows[i][3]);
    transport_settings_release(settings);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strings_are_copied),
      cmocka_unit_test(the_systems_directory_serves_where_no_authority_is_given),
      cmocka_unit_test(a_proxy_is_split),
      cmocka_unit_test(every_setting_tells_settings_apart),
      cmocka_unit_test(patience_leads_to_no_other_connections),
  };
  return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
