/*
 * The reference for `npm run bench -- tpm`: the same commands as the TPM's device process sends, in a plain loop over
 * Esys, with nothing around them.
 *
 *   esys-loop TCTI AK-HANDLE
 *
 * Reads lines from standard input, `quote N` or `pcrs N`, does that N times, and writes how many seconds it took, one
 * line for each. So it can be measured in turn with others, without its start.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#define PCRS 24

static void check(const char *what, TSS2_RC rc)
{
    if (rc == TSS2_RC_SUCCESS)
        return;
    fprintf(stderr, "esys-loop: %s: %s\n", what, Tss2_RC_Decode(rc));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* PCRs 0, 2, 4, 7 and 13 of the SHA-256 bank: the default profile's. */
static void quote(ESYS_CONTEXT *esys, ESYS_TR ak, uint32_t turn)
{
    const TPML_PCR_SELECTION selection = {
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0x95, 0x20, 0x00}}},
    };
    const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL};
    TPM2B_DATA nonce = {.size = 32};
    TPM2B_ATTEST *attest = NULL;
    TPMT_SIGNATURE *signature = NULL;

    memcpy(nonce.buffer, &turn, sizeof turn);
    check("Quote", Esys_Quote(esys, ak, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &nonce, &scheme, &selection,
                              &attest, &signature));
    Esys_Free(attest);
    Esys_Free(signature);
}

/* All PCRs of the SHA-256 bank. A TPM gives eight at a time: asked for the rest until there is none. */
static void read_pcrs(ESYS_CONTEXT *esys)
{
    TPML_PCR_SELECTION left = {
        .count = 1,
        .pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = {0xff, 0xff, 0xff}}},
    };
    unsigned read = 0;

    while (read < PCRS) {
        TPML_PCR_SELECTION *given = NULL;
        TPML_DIGEST *digests = NULL;
        uint32_t counter;

        check("PCR_Read",
              Esys_PCR_Read(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &left, &counter, &given, &digests));
        for (int i = 0; i < 3; i++)
            left.pcrSelections[0].pcrSelect[i] &= (BYTE)~given->pcrSelections[0].pcrSelect[i];
        if (digests->count == 0) {
            fprintf(stderr, "esys-loop: the TPM gives no value for the rest of the PCRs\n");
            exit(1);
        }
        read += digests->count;
        Esys_Free(given);
        Esys_Free(digests);
    }
}

int main(int argc, char **argv)
{
    TSS2_TCTI_CONTEXT *tcti = NULL;
    ESYS_CONTEXT *esys = NULL;
    ESYS_TR ak;
    char what[16];
    uint32_t count;

    if (argc != 3) {
        fprintf(stderr, "usage: esys-loop TCTI AK-HANDLE\n");
        return 2;
    }
    check("connecting", Tss2_TctiLdr_Initialize(argv[1], &tcti));
    check("Initialize", Esys_Initialize(&esys, tcti, NULL));
    check("AK", Esys_TR_FromTPMPublic(esys, (TPM2_HANDLE)strtoul(argv[2], NULL, 0), ESYS_TR_NONE, ESYS_TR_NONE,
                                      ESYS_TR_NONE, &ak));
    while (scanf("%15s %" SCNu32, what, &count) == 2) {
        double begin = seconds();

        for (uint32_t turn = 0; turn < count; turn++) {
            if (strcmp(what, "quote") == 0)
                quote(esys, ak, turn);
            else
                read_pcrs(esys);
        }
        printf("%.9f\n", seconds() - begin);
        fflush(stdout);
    }
    Esys_Finalize(&esys);
    Tss2_TctiLdr_Finalize(&tcti);
    return 0;
}
