/*
 * A PKCS#11 module that passes each call on to another module, and does to it what a plan says.
 *
 *   ATTESTRY_FAULT_MODULE   the other module's path
 *   ATTESTRY_FAULT_PLAN     the plan's path; PLAN.counts holds the rules' counters, PLAN.log what happened
 *
 * A plan has one rule a line, `FUNCTION WHEN ACTION [NUMBER]`, numbers as strtoul reads them:
 *
 *   WHEN     N: the Nth call; N+: that one and all after it
 *   ACTION   delay MS, hang: before the call
 *            segv, abort, exit STATUS: the process ends instead of the call
 *            invalidate, logout, finalise: the other module loses its sessions, its login, everything; then the call
 *            return RV: instead of the call
 *            after RV: the call is made, and that is the answer
 *            flip BIT: of the output, modulo its length; cut: the output is one byte shorter; drop: the first object or
 *            slot of a list is missing
 *            log: nothing
 *
 * Calls are counted for each rule by itself, from the moment at which the plan was put in place, over all processes that
 * follow it: PLAN.counts is a shared array of 64-bit counters, one for each rule, and whoever replaces the plan (by
 * renaming a new one over it) zeroes them first. flip, cut and drop count only calls that gave something to work on.
 *
 * PLAN.log gets one line for each rule that came to pass, `FUNCTION ACTION`, and `C_Login RV` for each login, so that
 * tries of a PIN can be counted. A plan that cannot be read ends the process.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#ifndef NULL_PTR
#define NULL_PTR NULL
#endif
#include <pkcs11.h>

#define MAX_RULES 64
#define MAX_PATH 4096
#define COUNTS_BYTES (MAX_RULES * sizeof(uint64_t))

enum action { DELAY, HANG, SEGV, ABORT, EXIT, INVALIDATE, LOGOUT, FINALISE, RETURN, AFTER, FLIP, CUT, DROP, LOG };

static const char *const action_names[] = {"delay", "hang", "segv", "abort", "exit", "invalidate", "logout", "finalise",
                                           "return", "after", "flip", "cut", "drop", "log"};

struct rule {
    char function[32];
    uint64_t from;
    int onwards;
    enum action action;
    unsigned long number;
};

/* What a call wrote. */
struct output {
    CK_BYTE_PTR bytes;
    CK_ULONG length;
    /* Where the module says how much it is, in units of so many bytes. */
    CK_ULONG_PTR count;
    CK_ULONG unit;
};

static CK_FUNCTION_LIST_PTR real;
static const char *plan_path;
static uint64_t *counts;
static int log_fd = -1;
static struct rule rules[MAX_RULES];
static unsigned rule_count;
static struct stat plan_stat;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what, const char *of)
{
    fprintf(stderr, "fault-module: %s: %s\n", what, of);
    abort();
}

static void write_log(const char *function, const char *what)
{
    char line[96];
    int length = snprintf(line, sizeof line, "%s %s\n", function, what);

    if (write(log_fd, line, (size_t)length) != length)
        die("cannot write the log of", plan_path);
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

static int parse(const char *line, struct rule *rule)
{
    char when[24], action[16], number[24] = "0", rest[2], *end;
    int words = sscanf(line, "%31s %23s %15s %23s %1s", rule->function, when, action, number, rest);
    unsigned i;

    if (words != 3 && words != 4)
        return 0;
    rule->from = strtoull(when, &end, 10);
    rule->onwards = *end == '+';
    if (rule->from == 0 || strcmp(end, rule->onwards ? "+" : "") != 0)
        return 0;
    rule->number = strtoul(number, &end, 0);
    if (*end != '\0')
        return 0;
    for (i = 0; i < sizeof action_names / sizeof *action_names; i++) {
        if (strcmp(action, action_names[i]) == 0) {
            rule->action = (enum action)i;
            return 1;
        }
    }
    return 0;
}

/* Reads the plan where it is another than before. No plan: no faults. */
static void follow_plan(void)
{
    struct stat now;
    char line[160];
    FILE *file;

    if (stat(plan_path, &now) != 0) {
        rule_count = 0;
        plan_stat.st_ino = 0;
        return;
    }
    if (now.st_ino == plan_stat.st_ino && now.st_mtim.tv_sec == plan_stat.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == plan_stat.st_mtim.tv_nsec)
        return;
    file = fopen(plan_path, "r");
    if (file == NULL)
        die("cannot read", plan_path);
    for (rule_count = 0; fgets(line, sizeof line, file) != NULL; rule_count++) {
        if (rule_count == MAX_RULES || !parse(line, &rules[rule_count]))
            die("cannot follow", line);
    }
    fclose(file);
    plan_stat = now;
}

/* The rules for this call, as a set of bits; those that need an output are left for later. */
static uint64_t due(const char *function, int with_output)
{
    uint64_t set = 0;

    pthread_mutex_lock(&lock);
    if (!with_output)
        follow_plan();
    for (unsigned i = 0; i < rule_count; i++) {
        const struct rule *rule = &rules[i];
        int wants_output = rule->action == FLIP || rule->action == CUT || rule->action == DROP;

        if (strcmp(rule->function, function) != 0 || wants_output != with_output)
            continue;
        uint64_t call = __atomic_add_fetch(&counts[i], 1, __ATOMIC_SEQ_CST);
        if (call == rule->from || (rule->onwards && call > rule->from)) {
            set |= UINT64_C(1) << i;
            write_log(function, action_names[rule->action]);
        }
    }
    pthread_mutex_unlock(&lock);
    return set;
}

/* --- faults ------------------------------------------------------------------------------------------------------ */

static void close_all_sessions(void)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;

    if (real->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        return;
    for (CK_ULONG i = 0; i < count; i++)
        real->C_CloseAllSessions(slots[i]);
}

/* @returns whether the call is not made, and *rv is its answer */
static int before(uint64_t set, CK_SESSION_HANDLE session, CK_RV *rv)
{
    int answered = 0;

    for (unsigned i = 0; i < MAX_RULES; i++) {
        const struct rule *rule = &rules[i];
        struct timespec time = {(time_t)(rule->number / 1000), (long)(rule->number % 1000) * 1000000};

        if ((set >> i & 1) == 0)
            continue;
        switch (rule->action) {
        case DELAY:
            nanosleep(&time, NULL);
            break;
        case HANG:
            for (;;)
                pause();
        case SEGV:
            signal(SIGSEGV, SIG_DFL);
            raise(SIGSEGV);
            break;
        case ABORT:
            abort();
        case EXIT:
            _exit((int)rule->number);
        case INVALIDATE:
            close_all_sessions();
            break;
        case LOGOUT:
            real->C_Logout(session);
            break;
        case FINALISE:
            real->C_Finalize(NULL);
            break;
        case RETURN:
            *rv = rule->number;
            answered = 1;
            break;
        default:
            break;
        }
    }
    return answered;
}

static CK_RV after(uint64_t set, const char *function, struct output output, CK_RV rv)
{
    if (rv == CKR_OK && output.bytes != NULL && output.length > 0)
        set |= due(function, 1);
    for (unsigned i = 0; i < MAX_RULES; i++) {
        if ((set >> i & 1) == 0)
            continue;
        unsigned long bit = output.length == 0 ? 0 : rules[i].number % (8 * output.length);

        if (rules[i].action == FLIP)
            output.bytes[bit / 8] ^= (CK_BYTE)(1 << bit % 8);
        else if (rules[i].action == CUT && output.count != NULL)
            *output.count -= 1;
        else if (rules[i].action == DROP && output.count != NULL && --*output.count > 0)
            memmove(output.bytes, output.bytes + output.unit, *output.count * output.unit);
        else if (rules[i].action == AFTER)
            rv = rules[i].number;
    }
    return rv;
}

/* --- the functions ----------------------------------------------------------------------------------------------- */

#define NOTHING ((struct output){NULL, 0, NULL, 0})
#define ONE(pointer) ((struct output){(CK_BYTE_PTR)(pointer), (pointer) == NULL ? 0 : sizeof *(pointer), NULL, 0})
#define FIXED(pointer, size) ((struct output){(pointer), (size), NULL, 0})
#define LIST(pointer, number) list_of((CK_BYTE_PTR)(pointer), (number), sizeof *(pointer))
#define BYTES(pointer, number) list_of((pointer), (number), 1)
#define VALUE(attributes, number) value_of((attributes), (number))

static struct output list_of(CK_BYTE_PTR bytes, CK_ULONG_PTR count, CK_ULONG unit)
{
    return (struct output){bytes, bytes == NULL || count == NULL ? 0 : *count * unit, count, unit};
}

static struct output value_of(CK_ATTRIBUTE_PTR attributes, CK_ULONG count)
{
    if (attributes == NULL || count == 0 || attributes->pValue == NULL)
        return NOTHING;
    return (struct output){attributes->pValue, attributes->ulValueLen, &attributes->ulValueLen, 1};
}

static void log_login(const char *function, CK_RV rv)
{
    char text[24];

    if (strcmp(function, "C_Login") != 0)
        return;
    snprintf(text, sizeof text, "0x%lx", rv);
    write_log(function, text);
}

#define FUNCTION(name, parameters, arguments, session, output)                                                         \
    static CK_RV faulty_##name parameters                                                                              \
    {                                                                                                                  \
        uint64_t set = due(#name, 0);                                                                                  \
        CK_RV rv = CKR_OK;                                                                                             \
        if (!before(set, session, &rv)) {                                                                              \
            rv = real->name arguments;                                                                                 \
            rv = after(set, #name, output, rv);                                                                        \
        }                                                                                                              \
        log_login(#name, rv);                                                                                          \
        return rv;                                                                                                     \
    }
#include "functions.h"
#undef FUNCTION

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

#define FUNCTION(name, parameters, arguments, session, output) .name = faulty_##name,
static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_GetFunctionList = C_GetFunctionList,
#include "functions.h"
};
#undef FUNCTION

static void open_files(void)
{
    char path[MAX_PATH];
    int fd;

    snprintf(path, sizeof path, "%s.log", plan_path);
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    snprintf(path, sizeof path, "%s.counts", plan_path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log_fd < 0 || fd < 0 || ftruncate(fd, COUNTS_BYTES) != 0)
        die("cannot open the files beside", plan_path);
    counts = mmap(NULL, COUNTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (counts == MAP_FAILED)
        die("cannot map the counters of", plan_path);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    const char *path = getenv("ATTESTRY_FAULT_MODULE");
    CK_C_GetFunctionList get;
    void *library;

    if (list == NULL)
        return CKR_ARGUMENTS_BAD;
    if (real == NULL) {
        plan_path = getenv("ATTESTRY_FAULT_PLAN");
        if (path == NULL || plan_path == NULL)
            return CKR_GENERAL_ERROR;
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        *(void **)&get = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
        if (get == NULL || get(&real) != CKR_OK)
            return CKR_GENERAL_ERROR;
        open_files();
    }
    *list = &functions;
    return CKR_OK;
}
