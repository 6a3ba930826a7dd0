//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// Three rows of one step of the inner dimension: a row of the panel of b, Z24 and
// Z25, times one number of each row of a from p on. The sums of twelve rows are Z0
// to Z23, two a row.
#define ROWS32(p, l0, h0, l1, h1, l2, h2) \
	VBROADCASTSS (p), Z26          \
	VBROADCASTSS (p)(R8*1), Z27    \
	VBROADCASTSS (p)(R8*2), Z28    \
	VFMADD231PS Z24, Z26, l0       \
	VFMADD231PS Z25, Z26, h0       \
	VFMADD231PS Z24, Z27, l1       \
	VFMADD231PS Z25, Z27, h1       \
	VFMADD231PS Z24, Z28, l2       \
	VFMADD231PS Z25, Z28, h2       \
	ADDQ R11, p

#define ROWS64(p, l0, h0, l1, h1, l2, h2) \
	VBROADCASTSD (p), Z26          \
	VBROADCASTSD (p)(R8*1), Z27    \
	VBROADCASTSD (p)(R8*2), Z28    \
	VFMADD231PD Z24, Z26, l0       \
	VFMADD231PD Z25, Z26, h0       \
	VFMADD231PD Z24, Z27, l1       \
	VFMADD231PD Z25, Z27, h1       \
	VFMADD231PD Z24, Z28, l2       \
	VFMADD231PD Z25, Z28, h2       \
	ADDQ R11, p

#define STEP512(n, ROWS) \
	VMOVUPS (128*n)(DI), Z24       \
	VMOVUPS (128*n+64)(DI), Z25    \
	ROWS(SI, Z0, Z1, Z2, Z3, Z4, Z5)          \
	ROWS(R10, Z6, Z7, Z8, Z9, Z10, Z11)       \
	ROWS(R12, Z12, Z13, Z14, Z15, Z16, Z17)   \
	ROWS(R13, Z18, Z19, Z20, Z21, Z22, Z23)

#define ZERO2(x, y) \
	VPXORQ x, x, x  \
	VPXORQ y, y, y

#define ZERO512 \
	ZERO2(Z0, Z1)   \
	ZERO2(Z2, Z3)   \
	ZERO2(Z4, Z5)   \
	ZERO2(Z6, Z7)   \
	ZERO2(Z8, Z9)   \
	ZERO2(Z10, Z11) \
	ZERO2(Z12, Z13) \
	ZERO2(Z14, Z15) \
	ZERO2(Z16, Z17) \
	ZERO2(Z18, Z19) \
	ZERO2(Z20, Z21) \
	ZERO2(Z22, Z23)

// A row of the tile: c += alpha sum.
#define OUT32(lo, hi) \
	VMOVUPS (DX), Z26           \
	VMOVUPS 64(DX), Z27         \
	VFMADD231PS lo, Z25, Z26    \
	VFMADD231PS hi, Z25, Z27    \
	VMOVUPS Z26, (DX)           \
	VMOVUPS Z27, 64(DX)         \
	ADDQ R9, DX

#define OUT64(lo, hi) \
	VMOVUPD (DX), Z26           \
	VMOVUPD 64(DX), Z27         \
	VFMADD231PD lo, Z25, Z26    \
	VFMADD231PD hi, Z25, Z27    \
	VMOVUPD Z26, (DX)           \
	VMOVUPD Z27, 64(DX)         \
	ADDQ R9, DX

// A row of a tile that overwrites C, from Z24, zero.
#define NEW32(lo, hi) \
	VMOVAPS Z24, Z26            \
	VMOVAPS Z24, Z27            \
	VFMADD231PS lo, Z25, Z26    \
	VFMADD231PS hi, Z25, Z27    \
	VMOVUPS Z26, (DX)           \
	VMOVUPS Z27, 64(DX)         \
	ADDQ R9, DX

// A row of a tile that overwrites C, from Z24, zero.
#define NEW64(lo, hi) \
	VMOVAPS Z24, Z26            \
	VMOVAPS Z24, Z27            \
	VFMADD231PD lo, Z25, Z26    \
	VFMADD231PD hi, Z25, Z27    \
	VMOVUPD Z26, (DX)           \
	VMOVUPD Z27, 64(DX)         \
	ADDQ R9, DX

#define OUT512(OUT) \
	OUT(Z0, Z1)   \
	OUT(Z2, Z3)   \
	OUT(Z4, Z5)   \
	OUT(Z6, Z7)   \
	OUT(Z8, Z9)   \
	OUT(Z10, Z11) \
	OUT(Z12, Z13) \
	OUT(Z14, Z15) \
	OUT(Z16, Z17) \
	OUT(Z18, Z19) \
	OUT(Z20, Z21) \
	OUT(Z22, Z23)

// The pointers to every third row of a, after its distances became bytes.
#define POINTERS(shift) \
	SHLQ $shift, R8      \
	SHLQ $shift, R11     \
	SHLQ $shift, R9      \
	LEAQ (SI)(R8*2), R10 \
	ADDQ R8, R10         \
	LEAQ (R10)(R8*2), R12 \
	ADDQ R8, R12         \
	LEAQ (R12)(R8*2), R13 \
	ADDQ R8, R13

// func tileWide32(k int, a *float32, row, step int, b, c *float32, ldc, add int, alpha float32)
TEXT ·tileWide32(SB), NOSPLIT, $0-68
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ row+16(FP), R8
	MOVQ step+24(FP), R11
	MOVQ b+32(FP), DI
	MOVQ c+40(FP), DX
	MOVQ ldc+48(FP), R9
	POINTERS(2)
	ZERO512
	MOVQ CX, BX
	SHRQ $1, BX
	JZ   rest32

two32:
	STEP512(0, ROWS32)
	STEP512(1, ROWS32)
	ADDQ $256, DI
	DECQ BX
	JNZ  two32

rest32:
	ANDQ $1, CX
	JZ   store32
	STEP512(0, ROWS32)

store32:
	VBROADCASTSS alpha+64(FP), Z25
	CMPQ add+56(FP), $0
	JE   new32
	OUT512(OUT32)
	VZEROUPPER
	RET

new32:
	VPXORQ Z24, Z24, Z24
	OUT512(NEW32)
	VZEROUPPER
	RET

// func tileWide64(k int, a *float64, row, step int, b, c *float64, ldc, add int, alpha float64)
TEXT ·tileWide64(SB), NOSPLIT, $0-72
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ row+16(FP), R8
	MOVQ step+24(FP), R11
	MOVQ b+32(FP), DI
	MOVQ c+40(FP), DX
	MOVQ ldc+48(FP), R9
	POINTERS(3)
	ZERO512
	MOVQ CX, BX
	SHRQ $1, BX
	JZ   rest64

two64:
	STEP512(0, ROWS64)
	STEP512(1, ROWS64)
	ADDQ $256, DI
	DECQ BX
	JNZ  two64

rest64:
	ANDQ $1, CX
	JZ   store64
	STEP512(0, ROWS64)

store64:
	VBROADCASTSD alpha+64(FP), Z25
	CMPQ add+56(FP), $0
	JE   new64
	OUT512(OUT64)
	VZEROUPPER
	RET

new64:
	VPXORQ Z24, Z24, Z24
	OUT512(NEW64)
	VZEROUPPER
	RET
