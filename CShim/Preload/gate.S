// gate.S - the only place from which the shim makes system calls, and the few things C cannot say.
// Syscall User Dispatch leaves [mfr_gate_start, mfr_gate_end) alone and traps everything else.
    .text
    .hidden mfr_gate_start, mfr_gate_end, mfr_gate, mfr_gate_blocking, mfr_restorer
    .hidden mfr_blocking_start, mfr_blocking_syscall, mfr_blocking_abort
    .hidden mfr_kicked, mfr_patched_entry, mfr_try_save, mfr_hash_aes, mfr_dispatch6
    .hidden mfr_clone_gate, mfr_resume_frame

    .globl mfr_gate_start, mfr_gate, mfr_gate_blocking, mfr_restorer, mfr_gate_end
    .globl mfr_blocking_start, mfr_blocking_syscall, mfr_blocking_abort
    .p2align 6
mfr_gate_start:
// long mfr_gate(nr, a0, a1, a2, a3, a4, a5)
    .type mfr_gate, @function
mfr_gate:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .size mfr_gate, . - mfr_gate

// The same for calls that may sleep. The SIGSYS handler moves an instruction pointer that it finds
// in [mfr_blocking_start, mfr_blocking_syscall] to mfr_blocking_abort, so that a kick that comes
// between the look and the sleep is not lost (the idea is musl's, for cancellation points).
    .type mfr_gate_blocking, @function
mfr_gate_blocking:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
mfr_blocking_start:
    cmpl $0, mfr_kicked(%rip)
    jne mfr_blocking_abort
mfr_blocking_syscall:
    syscall
    ret
mfr_blocking_abort:
    mov $-4, %rax
    ret
    .size mfr_gate_blocking, . - mfr_gate_blocking

    .type mfr_restorer, @function
    nop // unwinders look one byte before the restorer
mfr_restorer:
    mov $15, %eax // rt_sigreturn
    syscall
    .size mfr_restorer, . - mfr_restorer

// long mfr_clone_helper(flags, stack_top, fn, arg, result*): clone, and in the child fn(arg) on the new
// stack, its result stored, then exit. For CLONE_VM | CLONE_VFORK helpers of our own.
    .globl mfr_clone_helper
    .hidden mfr_clone_helper
    .type mfr_clone_helper, @function
mfr_clone_helper:
    push %rbx
    push %r12
    push %r13
    mov %rdx, %rbx
    mov %rcx, %r12
    mov %r8, %r13
    xor %edx, %edx
    xor %r10d, %r10d
    xor %r8d, %r8d
    mov $56, %eax
    syscall
    test %rax, %rax
    jnz 1f
    mov %r12, %rdi
    call *%rbx
    mov %rax, (%r13)
    xor %edi, %edi
    mov $60, %eax
    syscall
1:  pop %r13
    pop %r12
    pop %rbx
    ret
    .size mfr_clone_helper, . - mfr_clone_helper
mfr_gate_end:

// long mfr_trap(nr, a0..a5): the same as mfr_gate, but outside the range that dispatch leaves alone.
    .globl mfr_trap
    .hidden mfr_trap
    .type mfr_trap, @function
mfr_trap:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .size mfr_trap, . - mfr_trap

// void mfr_resume(frame): continues the guest from a saved frame.
    .globl mfr_resume
    .hidden mfr_resume
    .type mfr_resume, @function
mfr_resume:
    mov %rdi, %rsp
    jmp mfr_restorer
    .size mfr_resume, . - mfr_resume

// long mfr_on_own_stack(fn, arg)
    .globl mfr_on_own_stack
    .hidden mfr_on_own_stack
    .type mfr_on_own_stack, @function
mfr_on_own_stack:
    push %rbp
    mov %rsp, %rbp
    mov %rdi, %rax
    mov %rsi, %rdi
    lea mfr_own_stack_top(%rip), %rsp
    call *%rax
    leave
    ret
    .size mfr_on_own_stack, . - mfr_on_own_stack

// int mfr_try_save(struct mfr_try_buf *): 0 at first; 1 when a fault handler comes back here.
    .globl mfr_try_save
    .type mfr_try_save, @function
mfr_try_save:
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rax
    mov %rax, 48(%rdi)
    mov (%rsp), %rax
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret
    .size mfr_try_save, . - mfr_try_save

// A patched call site comes here: registers as at a syscall instruction, rax the number. The kernel
// would keep all registers but rax, rcx and r11, so this does too.
    .globl mfr_patched_entry
    .type mfr_patched_entry, @function
mfr_patched_entry:
    push %rbp
    mov %rsp, %rbp
    push %rdi
    push %rsi
    push %rdx
    push %r10
    push %r8
    push %r9
    and $-16, %rsp
    // mfr_dispatch6(nr, a0..a5): rdi rsi rdx rcx r8 r9 stack
    sub $16, %rsp
    mov %r9, (%rsp)
    mov %r8, %r9
    mov %r10, %r8
    mov %rdx, %rcx
    mov %rsi, %rdx
    mov %rdi, %rsi
    mov %rax, %rdi
    cld
    call mfr_dispatch6
    lea -48(%rbp), %rsp
    pop %r9
    pop %r8
    pop %r10
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    ret
    .size mfr_patched_entry, . - mfr_patched_entry

// u64 mfr_hash_aes(p, blocks of 64 bytes, seed): four lanes of AESENC, as fast as memory is read.
// Legacy (non-VEX) encodings leave the upper halves of the vector registers alone; what it uses of
// the lower halves it puts back.
    .globl mfr_hash_aes
    .type mfr_hash_aes, @function
mfr_hash_aes:
    sub $136, %rsp
    movdqu %xmm0, 0(%rsp)
    movdqu %xmm1, 16(%rsp)
    movdqu %xmm2, 32(%rsp)
    movdqu %xmm3, 48(%rsp)
    movdqu %xmm4, 64(%rsp)
    movdqu %xmm5, 80(%rsp)
    movdqu %xmm6, 96(%rsp)
    movdqu %xmm7, 112(%rsp)
    movq %rdx, %xmm0
    movq %rdx, %xmm1
    movq %rdx, %xmm2
    movq %rdx, %xmm3
    movdqu mfr_hash_keys(%rip), %xmm4
    pxor %xmm4, %xmm0
    paddq %xmm4, %xmm1
    psubq %xmm4, %xmm2
    pxor mfr_hash_keys+16(%rip), %xmm3
    test %rsi, %rsi
    jz 2f
1:  movdqu 0(%rdi), %xmm4
    movdqu 16(%rdi), %xmm5
    movdqu 32(%rdi), %xmm6
    movdqu 48(%rdi), %xmm7
    aesenc %xmm4, %xmm0
    aesenc %xmm5, %xmm1
    aesenc %xmm6, %xmm2
    aesenc %xmm7, %xmm3
    add $64, %rdi
    dec %rsi
    jnz 1b
2:  aesenc %xmm1, %xmm0
    aesenc %xmm3, %xmm2
    aesenc %xmm0, %xmm0
    aesenc %xmm2, %xmm0
    aesenc %xmm0, %xmm0
    aesenc mfr_hash_keys(%rip), %xmm0
    movq %xmm0, %rax
    movdqu 0(%rsp), %xmm0
    movdqu 16(%rsp), %xmm1
    movdqu 32(%rsp), %xmm2
    movdqu 48(%rsp), %xmm3
    movdqu 64(%rsp), %xmm4
    movdqu 80(%rsp), %xmm5
    movdqu 96(%rsp), %xmm6
    movdqu 112(%rsp), %xmm7
    add $136, %rsp
    ret
    .size mfr_hash_aes, . - mfr_hash_aes

    .section .rodata
    .p2align 4
mfr_hash_keys:
    .quad 0x243f6a8885a308d3, 0x13198a2e03707344
    .quad 0xa4093822299f31d0, 0x082efa98ec4e6c89

    .bss
    .p2align 6
    .hidden mfr_own_stack
    .globl mfr_own_stack
mfr_own_stack:
    .skip 65536
    .hidden mfr_own_stack_top
    .globl mfr_own_stack_top
mfr_own_stack_top:
    .skip 64
    .globl mfr_kicked
    .p2align 2
mfr_kicked:
    .long 0
    .section .note.GNU-stack, "", @progbits
