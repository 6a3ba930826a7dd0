//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// The sum of the lanes of y, and of the two registers of a row.
#define SUM32(y0, y1, x0, x1, to) \
	VADDPS y1, y0, y0             \
	VEXTRACTF128 $1, y0, x1       \
	VADDPS x1, x0, x0             \
	VHADDPS x0, x0, x0            \
	VHADDPS x0, x0, x0            \
	VMOVSS x0, to

#define SUM64(y0, y1, x0, x1, to) \
	VADDPD y1, y0, y0             \
	VEXTRACTF128 $1, y0, x1       \
	VADDPD x1, x0, x0             \
	VHADDPD x0, x0, x0            \
	VMOVSD x0, to

// func dots32(k int, x, w *float32, ldw int, y *[4]float32)
//
// The products of x with four rows of w; k is a multiple of 16.
TEXT ·dots32(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ x+8(FP), SI
	MOVQ w+16(FP), DI
	MOVQ ldw+24(FP), R8
	MOVQ y+32(FP), DX
	SHLQ $2, R8
	LEAQ (DI)(R8*2), R10
	ADDQ R8, R10
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	SHRQ $4, CX
	JZ   sums32

more32:
	VMOVUPS (SI), Y12
	VMOVUPS 32(SI), Y13
	VFMADD231PS (DI), Y12, Y0
	VFMADD231PS 32(DI), Y13, Y1
	VFMADD231PS (DI)(R8*1), Y12, Y2
	VFMADD231PS 32(DI)(R8*1), Y13, Y3
	VFMADD231PS (DI)(R8*2), Y12, Y4
	VFMADD231PS 32(DI)(R8*2), Y13, Y5
	VFMADD231PS (R10), Y12, Y6
	VFMADD231PS 32(R10), Y13, Y7
	ADDQ $64, SI
	ADDQ $64, DI
	ADDQ $64, R10
	DECQ CX
	JNZ  more32

sums32:
	SUM32(Y0, Y1, X0, X1, (DX))
	SUM32(Y2, Y3, X2, X3, 4(DX))
	SUM32(Y4, Y5, X4, X5, 8(DX))
	SUM32(Y6, Y7, X6, X7, 12(DX))
	VZEROUPPER
	RET

// func dots64(k int, x, w *float64, ldw int, y *[4]float64)
//
// The products of x with four rows of w; k is a multiple of 8.
TEXT ·dots64(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ x+8(FP), SI
	MOVQ w+16(FP), DI
	MOVQ ldw+24(FP), R8
	MOVQ y+32(FP), DX
	SHLQ $3, R8
	LEAQ (DI)(R8*2), R10
	ADDQ R8, R10
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	VXORPD Y4, Y4, Y4
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	SHRQ $3, CX
	JZ   sums64

more64:
	VMOVUPD (SI), Y12
	VMOVUPD 32(SI), Y13
	VFMADD231PD (DI), Y12, Y0
	VFMADD231PD 32(DI), Y13, Y1
	VFMADD231PD (DI)(R8*1), Y12, Y2
	VFMADD231PD 32(DI)(R8*1), Y13, Y3
	VFMADD231PD (DI)(R8*2), Y12, Y4
	VFMADD231PD 32(DI)(R8*2), Y13, Y5
	VFMADD231PD (R10), Y12, Y6
	VFMADD231PD 32(R10), Y13, Y7
	ADDQ $64, SI
	ADDQ $64, DI
	ADDQ $64, R10
	DECQ CX
	JNZ  more64

sums64:
	SUM64(Y0, Y1, X0, X1, (DX))
	SUM64(Y2, Y3, X2, X3, 8(DX))
	SUM64(Y4, Y5, X4, X5, 16(DX))
	SUM64(Y6, Y7, X6, X7, 24(DX))
	VZEROUPPER
	RET

// func turn32(k int, src *float32, ld int, dst *float32)
//
// dst[16 p + j] = src[j ld + p] for eight rows j; k is a multiple of 4.
TEXT ·turn32(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $2, R8
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	LEAQ (SI)(R8*4), R11
	LEAQ (R10)(R8*4), R12
	SHRQ $2, CX
	JZ   turned32

turns32:
	VMOVUPS (SI), X0
	VMOVUPS (SI)(R8*1), X1
	VMOVUPS (SI)(R8*2), X2
	VMOVUPS (R10), X3
	VINSERTF128 $1, (R11), Y0, Y0
	VINSERTF128 $1, (R11)(R8*1), Y1, Y1
	VINSERTF128 $1, (R11)(R8*2), Y2, Y2
	VINSERTF128 $1, (R12), Y3, Y3
	VUNPCKLPS Y1, Y0, Y4
	VUNPCKHPS Y1, Y0, Y5
	VUNPCKLPS Y3, Y2, Y6
	VUNPCKHPS Y3, Y2, Y7
	VUNPCKLPD Y6, Y4, Y0
	VUNPCKHPD Y6, Y4, Y1
	VUNPCKLPD Y7, Y5, Y2
	VUNPCKHPD Y7, Y5, Y3
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 64(DI)
	VMOVUPS Y2, 128(DI)
	VMOVUPS Y3, 192(DI)
	ADDQ $16, SI
	ADDQ $16, R10
	ADDQ $16, R11
	ADDQ $16, R12
	ADDQ $256, DI
	DECQ CX
	JNZ  turns32

turned32:
	VZEROUPPER
	RET

// func turn64(k int, src *float64, ld int, dst *float64)
//
// dst[8 p + j] = src[j ld + p] for four rows j; k is a multiple of 2.
TEXT ·turn64(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $3, R8
	LEAQ (SI)(R8*2), R10
	ADDQ R8, R10
	SHRQ $1, CX
	JZ   turned64

turns64:
	VMOVUPD (SI), X0
	VMOVUPD (SI)(R8*1), X1
	VINSERTF128 $1, (SI)(R8*2), Y0, Y0
	VINSERTF128 $1, (R10), Y1, Y1
	VUNPCKLPD Y1, Y0, Y2
	VUNPCKHPD Y1, Y0, Y3
	VMOVUPD Y2, (DI)
	VMOVUPD Y3, 64(DI)
	ADDQ $16, SI
	ADDQ $16, R10
	ADDQ $128, DI
	DECQ CX
	JNZ  turns64

turned64:
	VZEROUPPER
	RET
