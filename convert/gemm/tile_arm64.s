//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// One row of one step of the inner dimension: a number of a, from p, times a row of the
// panel of b, V24 to V27. The sums of six rows are V0 to V23, four a row.
#define ROW(T, p, s, v0, v1, v2, v3) \
	VLD1R.P (p)(R3), [s.T]      \
	VFMLA V24.T, s.T, v0.T      \
	VFMLA V25.T, s.T, v1.T      \
	VFMLA V26.T, s.T, v2.T      \
	VFMLA V27.T, s.T, v3.T

#define STEP(T) \
	VLD1.P 64(R4), [V24.T, V25.T, V26.T, V27.T] \
	ROW(T, R8, V28, V0, V1, V2, V3)       \
	ROW(T, R9, V29, V4, V5, V6, V7)       \
	ROW(T, R10, V30, V8, V9, V10, V11)    \
	ROW(T, R11, V31, V12, V13, V14, V15)  \
	ROW(T, R12, V28, V16, V17, V18, V19)  \
	ROW(T, R13, V29, V20, V21, V22, V23)

#define NONE(v) VEOR v.B16, v.B16, v.B16

#define NONE4(v0, v1, v2, v3) \
	NONE(v0) \
	NONE(v1) \
	NONE(v2) \
	NONE(v3)

#define NONE24 \
	NONE4(V0, V1, V2, V3)     \
	NONE4(V4, V5, V6, V7)     \
	NONE4(V8, V9, V10, V11)   \
	NONE4(V12, V13, V14, V15) \
	NONE4(V16, V17, V18, V19) \
	NONE4(V20, V21, V22, V23)

// A row of the tile: c += alpha sum, alpha in V28.
#define ADDED(T, v0, v1, v2, v3) \
	VLD1 (R5), [V24.T, V25.T, V26.T, V27.T] \
	OUT(T, v0, v1, v2, v3)

// A row of a tile that overwrites c.
#define NEW(T, v0, v1, v2, v3) \
	NONE4(V24, V25, V26, V27) \
	OUT(T, v0, v1, v2, v3)

#define OUT(T, v0, v1, v2, v3) \
	VFMLA V28.T, v0.T, V24.T \
	VFMLA V28.T, v1.T, V25.T \
	VFMLA V28.T, v2.T, V26.T \
	VFMLA V28.T, v3.T, V27.T \
	VST1 [V24.T, V25.T, V26.T, V27.T], (R5) \
	ADD R6, R5

#define ALL(T, ONE) \
	ONE(T, V0, V1, V2, V3)     \
	ONE(T, V4, V5, V6, V7)     \
	ONE(T, V8, V9, V10, V11)   \
	ONE(T, V12, V13, V14, V15) \
	ONE(T, V16, V17, V18, V19) \
	ONE(T, V20, V21, V22, V23)

// Arguments, the distances as bytes, and the pointers to the rows of a.
#define ARGUMENTS(shift) \
	MOVD k+0(FP), R0     \
	MOVD a+8(FP), R8     \
	MOVD row+16(FP), R2  \
	MOVD step+24(FP), R3 \
	MOVD b+32(FP), R4    \
	MOVD c+40(FP), R5    \
	MOVD ldc+48(FP), R6  \
	MOVD add+56(FP), R7  \
	LSL $shift, R2       \
	LSL $shift, R3       \
	LSL $shift, R6       \
	ADD R2, R8, R9       \
	ADD R2, R9, R10      \
	ADD R2, R10, R11     \
	ADD R2, R11, R12     \
	ADD R2, R12, R13

// func tile32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)
TEXT ·tile32(SB), NOSPLIT, $0-68
	ARGUMENTS(2)
	NONE24
	CBZ R0, store32

more32:
	STEP(S4)
	SUB $1, R0
	CBNZ R0, more32

store32:
	MOVWU alpha+64(FP), R1
	VDUP R1, V28.S4
	CBZ R7, new32
	ALL(S4, ADDED)
	RET

new32:
	ALL(S4, NEW)
	RET

// func tile64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)
TEXT ·tile64(SB), NOSPLIT, $0-72
	ARGUMENTS(3)
	NONE24
	CBZ R0, store64

more64:
	STEP(D2)
	SUB $1, R0
	CBNZ R0, more64

store64:
	MOVD alpha+64(FP), R1
	VDUP R1, V28.D2
	CBZ R7, new64
	ALL(D2, ADDED)
	RET

new64:
	ALL(D2, NEW)
	RET
