//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// One step of the inner dimension: a row of the panel of b, two registers, times
// one number of each of the six rows of a. Y0 to Y11 hold the sums, two a row.
#define STEP32(n) \
	VMOVUPS (64*n)(DI), Y12              \
	VMOVUPS (64*n+32)(DI), Y13           \
	VBROADCASTSS (SI), Y14                     \
	VBROADCASTSS (SI)(R8*1), Y15               \
	VFMADD231PS Y12, Y14, Y0             \
	VFMADD231PS Y13, Y14, Y1             \
	VFMADD231PS Y12, Y15, Y2             \
	VFMADD231PS Y13, Y15, Y3             \
	VBROADCASTSS (SI)(R8*2), Y14               \
	VBROADCASTSS (R10), Y15                    \
	VFMADD231PS Y12, Y14, Y4             \
	VFMADD231PS Y13, Y14, Y5             \
	VFMADD231PS Y12, Y15, Y6             \
	VFMADD231PS Y13, Y15, Y7             \
	VBROADCASTSS (R10)(R8*1), Y14              \
	VBROADCASTSS (R10)(R8*2), Y15              \
	VFMADD231PS Y12, Y14, Y8             \
	VFMADD231PS Y13, Y14, Y9             \
	VFMADD231PS Y12, Y15, Y10            \
	VFMADD231PS Y13, Y15, Y11            \
	ADDQ R11, SI                         \
	ADDQ R11, R10

#define STEP64(n) \
	VMOVUPD (64*n)(DI), Y12              \
	VMOVUPD (64*n+32)(DI), Y13           \
	VBROADCASTSD (SI), Y14                     \
	VBROADCASTSD (SI)(R8*1), Y15               \
	VFMADD231PD Y12, Y14, Y0             \
	VFMADD231PD Y13, Y14, Y1             \
	VFMADD231PD Y12, Y15, Y2             \
	VFMADD231PD Y13, Y15, Y3             \
	VBROADCASTSD (SI)(R8*2), Y14               \
	VBROADCASTSD (R10), Y15                    \
	VFMADD231PD Y12, Y14, Y4             \
	VFMADD231PD Y13, Y14, Y5             \
	VFMADD231PD Y12, Y15, Y6             \
	VFMADD231PD Y13, Y15, Y7             \
	VBROADCASTSD (R10)(R8*1), Y14              \
	VBROADCASTSD (R10)(R8*2), Y15              \
	VFMADD231PD Y12, Y14, Y8             \
	VFMADD231PD Y13, Y14, Y9             \
	VFMADD231PD Y12, Y15, Y10            \
	VFMADD231PD Y13, Y15, Y11            \
	ADDQ R11, SI                         \
	ADDQ R11, R10

#define ZERO \
	VXORPS Y0, Y0, Y0     \
	VXORPS Y1, Y1, Y1     \
	VXORPS Y2, Y2, Y2     \
	VXORPS Y3, Y3, Y3     \
	VXORPS Y4, Y4, Y4     \
	VXORPS Y5, Y5, Y5     \
	VXORPS Y6, Y6, Y6     \
	VXORPS Y7, Y7, Y7     \
	VXORPS Y8, Y8, Y8     \
	VXORPS Y9, Y9, Y9     \
	VXORPS Y10, Y10, Y10  \
	VXORPS Y11, Y11, Y11

// A row of the tile: c += alpha sum.
#define ROW32(lo, hi) \
	VMOVUPS (DX), Y14           \
	VMOVUPS 32(DX), Y15         \
	VFMADD231PS lo, Y13, Y14    \
	VFMADD231PS hi, Y13, Y15    \
	VMOVUPS Y14, (DX)           \
	VMOVUPS Y15, 32(DX)         \
	ADDQ R9, DX

#define ROW64(lo, hi) \
	VMOVUPD (DX), Y14           \
	VMOVUPD 32(DX), Y15         \
	VFMADD231PD lo, Y13, Y14    \
	VFMADD231PD hi, Y13, Y15    \
	VMOVUPD Y14, (DX)           \
	VMOVUPD Y15, 32(DX)         \
	ADDQ R9, DX

// A row of a tile that overwrites C, from Y12, zero.
#define NEW32(lo, hi) \
	VMOVUPS Y12, Y14              \
	VMOVUPS Y12, Y15              \
	VFMADD231PS lo, Y13, Y14    \
	VFMADD231PS hi, Y13, Y15    \
	VMOVUPS Y14, (DX)           \
	VMOVUPS Y15, 32(DX)         \
	ADDQ R9, DX

// A row of a tile that overwrites C, from Y12, zero.
#define NEW64(lo, hi) \
	VMOVUPD Y12, Y14              \
	VMOVUPD Y12, Y15              \
	VFMADD231PD lo, Y13, Y14    \
	VFMADD231PD hi, Y13, Y15    \
	VMOVUPD Y14, (DX)           \
	VMOVUPD Y15, 32(DX)         \
	ADDQ R9, DX

// func tile32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)
TEXT ·tile32(SB), NOSPLIT, $0-68
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ row+16(FP), R8
	MOVQ step+24(FP), R11
	MOVQ b+32(FP), DI
	MOVQ c+40(FP), DX
	MOVQ ldc+48(FP), R9
	SHLQ $2, R8
	SHLQ $2, R11
	SHLQ $2, R9
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	ZERO
	MOVQ CX, BX
	SHRQ $2, BX
	JZ   rest32

four32:
	STEP32(0)
	STEP32(1)
	STEP32(2)
	STEP32(3)
	ADDQ $256, DI
	DECQ BX
	JNZ  four32

rest32:
	ANDQ $3, CX
	JZ   store32

one32:
	STEP32(0)
	ADDQ $64, DI
	DECQ CX
	JNZ  one32

store32:
	VBROADCASTSS alpha+64(FP), Y13
	CMPQ add+56(FP), $0
	JE   new32
	ROW32(Y0, Y1)
	ROW32(Y2, Y3)
	ROW32(Y4, Y5)
	ROW32(Y6, Y7)
	ROW32(Y8, Y9)
	ROW32(Y10, Y11)
	VZEROUPPER
	RET

new32:
	VXORPS Y12, Y12, Y12
	NEW32(Y0, Y1)
	NEW32(Y2, Y3)
	NEW32(Y4, Y5)
	NEW32(Y6, Y7)
	NEW32(Y8, Y9)
	NEW32(Y10, Y11)
	VZEROUPPER
	RET

// func tile64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)
TEXT ·tile64(SB), NOSPLIT, $0-72
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ row+16(FP), R8
	MOVQ step+24(FP), R11
	MOVQ b+32(FP), DI
	MOVQ c+40(FP), DX
	MOVQ ldc+48(FP), R9
	SHLQ $3, R8
	SHLQ $3, R11
	SHLQ $3, R9
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	ZERO
	MOVQ CX, BX
	SHRQ $2, BX
	JZ   rest64

four64:
	STEP64(0)
	STEP64(1)
	STEP64(2)
	STEP64(3)
	ADDQ $256, DI
	DECQ BX
	JNZ  four64

rest64:
	ANDQ $3, CX
	JZ   store64

one64:
	STEP64(0)
	ADDQ $64, DI
	DECQ CX
	JNZ  one64

store64:
	VBROADCASTSD alpha+64(FP), Y13
	CMPQ add+56(FP), $0
	JE   new64
	ROW64(Y0, Y1)
	ROW64(Y2, Y3)
	ROW64(Y4, Y5)
	ROW64(Y6, Y7)
	ROW64(Y8, Y9)
	ROW64(Y10, Y11)
	VZEROUPPER
	RET

new64:
	VXORPS Y12, Y12, Y12
	NEW64(Y0, Y1)
	NEW64(Y2, Y3)
	NEW64(Y4, Y5)
	NEW64(Y6, Y7)
	NEW64(Y8, Y9)
	NEW64(Y10, Y11)
	VZEROUPPER
	RET
