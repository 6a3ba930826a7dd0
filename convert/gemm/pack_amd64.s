//go:build !purego && !(openblas && cgo)

#include "textflag.h"

// func rows32(k int, src *float32, ld int, dst *float32)
//
// k runs of 16 numbers, ld apart, one after the other.
TEXT ·rows32(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $2, R8
	JMP  rows<>(SB)

// func rows64(k int, src *float64, ld int, dst *float64)
//
// k runs of 8 numbers, ld apart, one after the other.
TEXT ·rows64(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $3, R8
	JMP  rows<>(SB)

TEXT rows<>(SB), NOSPLIT, $0-0
	TESTQ CX, CX
	JZ    copied

nextRow:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ R8, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  nextRow

copied:
	VZEROUPPER
	RET

// func columns32(k int, src *float32, ld int, dst *float32)
//
// k runs of six numbers, ld apart, one after the other.
TEXT ·columns32(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $2, R8
	TESTQ CX, CX
	JZ   columns32done

columns32next:
	VMOVUPS (SI), X0
	VMOVSD 16(SI), X1
	VMOVUPS X0, (DI)
	VMOVSD X1, 16(DI)
	ADDQ R8, SI
	ADDQ $24, DI
	DECQ CX
	JNZ  columns32next

columns32done:
	RET

// func columns64(k int, src *float64, ld int, dst *float64)
//
// k runs of six numbers, ld apart, one after the other.
TEXT ·columns64(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ src+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ dst+24(FP), DI
	SHLQ $3, R8
	TESTQ CX, CX
	JZ   columns64done

columns64next:
	VMOVUPD (SI), Y0
	VMOVUPD 32(SI), X1
	VMOVUPD Y0, (DI)
	VMOVUPD X1, 32(DI)
	ADDQ R8, SI
	ADDQ $48, DI
	DECQ CX
	JNZ  columns64next

columns64done:
	VZEROUPPER
	RET
