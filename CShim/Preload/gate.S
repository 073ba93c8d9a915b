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
    .cfi_startproc
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .cfi_endproc
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
    // These very bytes: unwinders (libgcc's, for exceptions and cancellation) know a signal frame by them.
    .byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00 // mov $15, %rax: rt_sigreturn
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

// long mfr_thread_gate(flags, stack_top, fn, arg, clear_tid*): a kernel thread of ours, which runs fn(arg) and ends.
    .globl mfr_thread_gate
    .hidden mfr_thread_gate
    .type mfr_thread_gate, @function
mfr_thread_gate:
    push %rbx
    push %r12
    mov %rdx, %rbx
    mov %rcx, %r12
    mov %r8, %r10
    xor %edx, %edx
    xor %r8d, %r8d
    mov $56, %eax // clone
    syscall
    test %rax, %rax
    jnz 1f
    mov %r12, %rdi
    call *%rbx
    xor %edi, %edi
    mov $60, %eax // exit
    syscall
1:  pop %r12
    pop %rbx
    ret
    .size mfr_thread_gate, . - mfr_thread_gate
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

// long mfr_on_own_stack(fn, arg). What fn has left in the registers must not show either: the next call that traps
// has all of them in its frame, on the guest's stack.
    .globl mfr_on_own_stack
    .hidden mfr_on_own_stack
    .type mfr_on_own_stack, @function
mfr_on_own_stack:
    push %rbp
    mov %rsp, %rbp
    mov %rdi, %rax
    mov %rsi, %rdi
    mov mfr_stack_top(%rip), %rsp
    call *%rax
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    leave
    ret
    .size mfr_on_own_stack, . - mfr_on_own_stack

// long mfr_switch(u64 *save, u64 load): leaves this stack for another one that came here before.
    .globl mfr_switch
    .hidden mfr_switch
    .type mfr_switch, @function
mfr_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size mfr_switch, . - mfr_switch

// void mfr_enter_frame(const struct mfr_frame *): a new thread begins, as behind its clone: rax is 0.
    .globl mfr_enter_frame
    .hidden mfr_enter_frame
    .type mfr_enter_frame, @function
mfr_enter_frame:
    pushq 176(%rdi)
    popfq
    mov 40(%rdi), %r8
    mov 48(%rdi), %r9
    mov 56(%rdi), %r10
    mov 72(%rdi), %r12
    mov 80(%rdi), %r13
    mov 88(%rdi), %r14
    mov 96(%rdi), %r15
    mov 112(%rdi), %rsi
    mov 120(%rdi), %rbp
    mov 128(%rdi), %rbx
    mov 136(%rdi), %rdx
    mov 160(%rdi), %rsp
    mov 168(%rdi), %rcx
    mov $0, %eax
    mov 104(%rdi), %rdi
    jmp *%rcx
    .size mfr_enter_frame, . - mfr_enter_frame

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
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
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
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
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

// The stubs of patched call sites (patch.c), 512 of 64 bytes. A handler may unwind through one, to end its thread or by
// an exception: at the call in it, the guest's stack pointer is 128 bytes up, and the way back is in byte 56.
    .section .stubs, "aw", @nobits
    .p2align 12
    .hidden mfr_stubs
    .globl mfr_stubs
    .type mfr_stubs, @object
mfr_stubs:
    .cfi_startproc
    .cfi_def_cfa %rsp, 128
    // DW_CFA_expression for the return address: (rip & -64) + 56
    .cfi_escape 0x10, 0x10, 0x07, 0x80, 0x00, 0x09, 0xc0, 0x1a, 0x23, 0x38
    .skip 512 * 64
    .cfi_endproc
    .size mfr_stubs, . - mfr_stubs

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
    .section .data
    .hidden mfr_stack_top
    .globl mfr_stack_top
    .p2align 3
mfr_stack_top:
    .quad mfr_own_stack_top
    .bss
    .globl mfr_kicked
    .p2align 2
mfr_kicked:
    .long 0
    .section .note.GNU-stack, "", @progbits
