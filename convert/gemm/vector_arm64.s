//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// Products of sixteen numbers of x, V16 to V19, with a row of w, added lane by lane.
#define DOT(T, p, v0, v1, v2, v3) \
	VLD1.P 64(p), [V20.T, V21.T, V22.T, V23.T] \
	VFMLA V16.T, V20.T, v0.T \
	VFMLA V17.T, V21.T, v1.T \
	VFMLA V18.T, V22.T, v2.T \
	VFMLA V19.T, V23.T, v3.T

#define DOTS(T) \
	VLD1.P 64(R1), [V16.T, V17.T, V18.T, V19.T] \
	DOT(T, R4, V0, V1, V2, V3)    \
	DOT(T, R5, V4, V5, V6, V7)    \
	DOT(T, R6, V8, V9, V10, V11)  \
	DOT(T, R7, V12, V13, V14, V15)

#define NONE(v) VEOR v.B16, v.B16, v.B16

#define NONE4(v0, v1, v2, v3) \
	NONE(v0) \
	NONE(v1) \
	NONE(v2) \
	NONE(v3)

// The lanes' sums in the order of the other kernels: halves, quarters, pairs. V24 is
// ones, by which vectors are added.
#define SUM32(v0, v1, v2, v3) \
	VFMLA V24.S4, v2.S4, v0.S4 \
	VFMLA V24.S4, v3.S4, v1.S4 \
	VFMLA V24.S4, v1.S4, v0.S4 \
	VMOV v0.S[0], R9  \
	VMOV v0.S[1], R10 \
	VMOV v0.S[2], R11 \
	VMOV v0.S[3], R12 \
	FMOVS R9, F25     \
	FMOVS R10, F26    \
	FMOVS R11, F27    \
	FMOVS R12, F28    \
	FADDS F26, F25    \
	FADDS F28, F27    \
	FADDS F27, F25    \
	FMOVS.P F25, 4(R3)

#define SUM64(v0, v1, v2, v3) \
	VFMLA V24.D2, v2.D2, v0.D2 \
	VFMLA V24.D2, v3.D2, v1.D2 \
	VFMLA V24.D2, v1.D2, v0.D2 \
	VMOV v0.D[0], R9  \
	VMOV v0.D[1], R10 \
	FMOVD R9, F25     \
	FMOVD R10, F26    \
	FADDD F26, F25    \
	FMOVD.P F25, 8(R3)

#define ARGUMENTS(shift) \
	MOVD k+0(FP), R0    \
	MOVD x+8(FP), R1    \
	MOVD w+16(FP), R4   \
	MOVD ldw+24(FP), R2 \
	MOVD y+32(FP), R3   \
	LSL $shift, R2      \
	ADD R2, R4, R5      \
	ADD R2, R5, R6      \
	ADD R2, R6, R7      \
	NONE4(V0, V1, V2, V3)   \
	NONE4(V4, V5, V6, V7)   \
	NONE4(V8, V9, V10, V11) \
	NONE4(V12, V13, V14, V15)

// func dots32(k int, x, w *float32, ldw int, y *[4]float32)
//
// The products of x with four rows of w; k is a multiple of 16.
TEXT ·dots32(SB), NOSPLIT, $0-40
	ARGUMENTS(2)
	LSR $4, R0
	CBZ R0, sums32

more32:
	DOTS(S4)
	SUB $1, R0
	CBNZ R0, more32

sums32:
	MOVW $0x3f800000, R8
	VDUP R8, V24.S4
	SUM32(V0, V1, V2, V3)
	SUM32(V4, V5, V6, V7)
	SUM32(V8, V9, V10, V11)
	SUM32(V12, V13, V14, V15)
	RET

// func dots64(k int, x, w *float64, ldw int, y *[4]float64)
//
// The products of x with four rows of w; k is a multiple of 8.
TEXT ·dots64(SB), NOSPLIT, $0-40
	ARGUMENTS(3)
	LSR $3, R0
	CBZ R0, sums64

more64:
	DOTS(D2)
	SUB $1, R0
	CBNZ R0, more64

sums64:
	MOVD $0x3ff0000000000000, R8
	VDUP R8, V24.D2
	SUM64(V0, V1, V2, V3)
	SUM64(V4, V5, V6, V7)
	SUM64(V8, V9, V10, V11)
	SUM64(V12, V13, V14, V15)
	RET
