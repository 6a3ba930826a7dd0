//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// func rowsWide32(k int, src *float32, ld int, dst *float32)
//
// k runs of 32 numbers, ld apart, one after the other.
TEXT ·rowsWide32(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $2, R8
	JMP  rowsWide<>(SB)

// func rowsWide64(k int, src *float64, ld int, dst *float64)
//
// k runs of 16 numbers, ld apart, one after the other.
TEXT ·rowsWide64(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $3, R8
	JMP  rowsWide<>(SB)

TEXT rowsWide<>(SB), NOSPLIT, $0-0
	TESTQ CX, CX
	JZ    copied

nextRow:
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ R8, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  nextRow

copied:
	VZEROUPPER
	RET

// func columnsWide32(k int, src *float32, ld int, dst *float32)
//
// k runs of twelve numbers, ld apart, one after the other.
TEXT ·columnsWide32(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $2, R8
	TESTQ CX, CX
	JZ   twelve32done

twelve32:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), X1
	VMOVUPS Y0, (DI)
	VMOVUPS X1, 32(DI)
	ADDQ R8, SI
	ADDQ $48, DI
	DECQ CX
	JNZ  twelve32

twelve32done:
	VZEROUPPER
	RET

// func columnsWide64(k int, src *float64, ld int, dst *float64)
//
// k runs of twelve numbers, ld apart, one after the other.
TEXT ·columnsWide64(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $3, R8
	TESTQ CX, CX
	JZ   twelve64done

twelve64:
	VMOVUPD (SI), Z0
	VMOVUPD 64(SI), Y1
	VMOVUPD Z0, (DI)
	VMOVUPD Y1, 64(DI)
	ADDQ R8, SI
	ADDQ $96, DI
	DECQ CX
	JNZ  twelve64

twelve64done:
	VZEROUPPER
	RET

// func turnWide32(k int, src *float32, ld int, dst *float32)
//
// dst[32 p + j] = src[j ld + p] for eight rows j; k is a multiple of 4.
TEXT ·turnWide32(SB), NOSPLIT, $0-32
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
	VMOVUPS Y1, 128(DI)
	VMOVUPS Y2, 256(DI)
	VMOVUPS Y3, 384(DI)
	ADDQ $16, SI
	ADDQ $16, R10
	ADDQ $16, R11
	ADDQ $16, R12
	ADDQ $512, DI
	DECQ CX
	JNZ  turns32

turned32:
	VZEROUPPER
	RET

// func turnWide64(k int, src *float64, ld int, dst *float64)
//
// dst[16 p + j] = src[j ld + p] for four rows j; k is a multiple of 2.
TEXT ·turnWide64(SB), NOSPLIT, $0-32
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
	VMOVUPD Y3, 128(DI)
	ADDQ $16, SI
	ADDQ $16, R10
	ADDQ $256, DI
	DECQ CX
	JNZ  turns64

turned64:
	VZEROUPPER
	RET
