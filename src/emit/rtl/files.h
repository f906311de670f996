/* Files of a design that are the same for all of them, inside the program. */
#ifndef ST_EMIT_RTL_FILES_H
#define ST_EMIT_RTL_FILES_H

#include "emit/hls/files.h"

const StHlsAsset *st_rtl_assets(int *n);
/* Of a design that is a board (board.h). */
const StHlsAsset *st_rtl_board_assets(int *n);

#endif
