/* The one place of the version. */
#ifndef UIPATH_VERSION_H
#define UIPATH_VERSION_H

#define UIPATH_VERSION "0.1.0"

#endif
