/*
 * The reference for `npm run bench -- hsm`: the same PKCS#11 calls as the HSM's device process makes, in a plain loop,
 * with nothing around them. The user PIN comes as the first line of standard input.
 *
 *   pkcs11-loop MODULE TOKEN-LABEL LEDGER-KEY-LABEL DATA-KEY-LABEL
 *
 * Then reads lines `sign THREADS N` (N signatures in all, each thread with a session of its own) or `encrypt BYTES N`,
 * and writes how many seconds it took, one line for each. So it can be measured in turn with others, without its start.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#define NULL_PTR NULL
#include <pkcs11.h>

#define MAX_THREADS 8
#define MAX_SLOTS 16
#define OVERHEAD 16

static CK_FUNCTION_LIST_PTR p11;

struct work {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    unsigned long count;
};

static void check(const char *what, CK_RV rv)
{
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "pkcs11-loop: %s: 0x%lx\n", what, rv);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void load(const char *path)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_C_GetFunctionList get;
    void *library = dlopen(path, RTLD_NOW);

    *(void **)&get = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
    if (get == NULL) {
        fprintf(stderr, "pkcs11-loop: %s is no PKCS#11 module\n", path);
        exit(1);
    }
    check("GetFunctionList", get(&p11));
    check("Initialize", p11->C_Initialize(&args));
}

static CK_SLOT_ID slot_of(const char *label)
{
    CK_SLOT_ID slots[MAX_SLOTS];
    CK_ULONG count = MAX_SLOTS;
    CK_TOKEN_INFO info;

    check("GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        check("GetTokenInfo", p11->C_GetTokenInfo(slots[i], &info));
        if (strncmp((const char *)info.label, label, strlen(label)) == 0)
            return slots[i];
    }
    fprintf(stderr, "pkcs11-loop: no token is labelled %s\n", label);
    exit(1);
}

static CK_SESSION_HANDLE session_on(CK_SLOT_ID slot)
{
    CK_SESSION_HANDLE session;
    check("OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    return session;
}

static CK_OBJECT_HANDLE key_of(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class, char *label)
{
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &object_class, sizeof object_class},
        {CKA_LABEL, label, strlen(label)},
    };
    CK_OBJECT_HANDLE key;
    CK_ULONG count = 0;

    check("FindObjectsInit", p11->C_FindObjectsInit(session, template, 2));
    check("FindObjects", p11->C_FindObjects(session, &key, 1, &count));
    check("FindObjectsFinal", p11->C_FindObjectsFinal(session));
    if (count == 1)
        return key;
    fprintf(stderr, "pkcs11-loop: no key is labelled %s\n", label);
    exit(1);
}

static void *sign(void *argument)
{
    const struct work *work = argument;
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {0}, signature[64];

    for (unsigned long turn = 1; turn <= work->count; turn++) {
        CK_ULONG length = sizeof signature;

        memcpy(digest, &turn, sizeof turn);
        check("SignInit", p11->C_SignInit(work->session, &mechanism, work->key));
        check("Sign", p11->C_Sign(work->session, digest, sizeof digest, signature, &length));
    }
    return NULL;
}

static void sign_with(const CK_SESSION_HANDLE *sessions, CK_OBJECT_HANDLE key, unsigned long threads, unsigned long times)
{
    pthread_t running[MAX_THREADS];
    struct work work[MAX_THREADS];

    for (unsigned long i = 0; i < threads; i++) {
        work[i] = (struct work){sessions[i], key, times / threads};
        if (pthread_create(&running[i], NULL, sign, &work[i]) != 0)
            exit(1);
    }
    for (unsigned long i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
}

/* AES-256-GCM under an IV from the token, with associated data of the length that Attestry's has. */
static void encrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, unsigned long bytes, unsigned long times)
{
    CK_BYTE iv[12], aad[50] = {0};
    CK_BYTE_PTR plaintext = calloc(1, bytes), result = malloc(bytes + OVERHEAD);

    if (plaintext == NULL || result == NULL)
        exit(1);
    for (unsigned long turn = 0; turn < times; turn++) {
        CK_GCM_PARAMS parameters = {
            .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .pAAD = aad, .ulAADLen = sizeof aad, .ulTagBits = 128};
        CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
        CK_ULONG length = bytes + OVERHEAD;

        check("GenerateRandom", p11->C_GenerateRandom(session, iv, sizeof iv));
        check("EncryptInit", p11->C_EncryptInit(session, &mechanism, key));
        check("Encrypt", p11->C_Encrypt(session, plaintext, bytes, result, &length));
    }
    free(plaintext);
    free(result);
}

int main(int argc, char **argv)
{
    CK_SESSION_HANDLE sessions[MAX_THREADS];
    CK_OBJECT_HANDLE ledger_key, data_key;
    CK_SLOT_ID slot;
    char pin[256], what[16];
    unsigned long first, times;

    if (argc != 5 || fgets(pin, sizeof pin, stdin) == NULL) {
        fprintf(stderr, "usage: pkcs11-loop MODULE TOKEN-LABEL LEDGER-KEY-LABEL DATA-KEY-LABEL\n");
        return 2;
    }
    pin[strcspn(pin, "\n")] = '\0';
    load(argv[1]);
    slot = slot_of(argv[2]);
    for (int i = 0; i < MAX_THREADS; i++)
        sessions[i] = session_on(slot);
    check("Login", p11->C_Login(sessions[0], CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)));
    ledger_key = key_of(sessions[0], CKO_PRIVATE_KEY, argv[3]);
    data_key = key_of(sessions[0], CKO_SECRET_KEY, argv[4]);
    while (scanf("%15s %lu %lu", what, &first, &times) == 3) {
        double begin = seconds();

        if (strcmp(what, "sign") == 0 && first >= 1 && first <= MAX_THREADS)
            sign_with(sessions, ledger_key, first, times);
        else if (strcmp(what, "encrypt") == 0)
            encrypt(sessions[0], data_key, first, times);
        else
            return 2;
        printf("%.9f\n", seconds() - begin);
        fflush(stdout);
    }
    p11->C_Finalize(NULL);
    return 0;
}
