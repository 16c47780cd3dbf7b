/* Orchestrator's folders: the header field that names one. */
#ifndef ENGINE_FOLDER_HEADER_H
#define ENGINE_FOLDER_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_request;

/* Adds the header for a folder's id. false: no memory. */
bool folder_header_add_id(struct call_request *request, int64_t id);

/* Adds the header for a folder's key (a GUID) or path: not empty, UTF-8 without control characters,
   and NUL-terminated. A path that a header cannot hold as it stands goes as Base64 of UTF-16LE, in
   X-UIPATH-FolderPath-Encoded. false: no memory. */
bool folder_header_add_path(struct call_request *request, const char *path, size_t length);

#endif
