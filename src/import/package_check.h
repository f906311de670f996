/* What must hold between the parts of a package. */
#ifndef ST_IMPORT_PACKAGE_CHECK_H
#define ST_IMPORT_PACKAGE_CHECK_H

#include "base/json.h"
#include "import/package.h"

/* Names, roles and shapes of arguments and results agree with one another;
 * `root` is model.json. */
bool st_package_check_ports(const StPackage *p, const StJson *root);
/* Every parameter is in the weights with its type; fills p->param. */
bool st_package_check_weights(StPackage *p, const StJson *root, StDiag *diag);

#endif
