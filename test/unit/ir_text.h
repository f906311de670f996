/* Valid modules as text, for tests that damage them. */
#ifndef ST_TEST_IR_TEXT_H
#define ST_TEST_IR_TEXT_H

extern const char ir_text_tensor[]; /* every op of the tensor level */
extern const char ir_text_stream[]; /* every op of the stream level */
extern const char ir_text_repeat[]; /* a cycle of kernels */

#endif
