/*
 * The functions of a CK_FUNCTION_LIST but for C_GetFunctionList (PKCS#11 2.40, pkcs11f.h), in its order:
 *
 *   FUNCTION(name, (parameters), (arguments), session, output)
 *
 * The session is the one that the call is made in, or 0; the output is what the call writes:
 *
 *   NOTHING            nothing that is looked at
 *   ONE(pointer)       one thing: a structure or a handle
 *   BYTES(p, length)   bytes, and how many
 *   FIXED(p, length)   as many bytes as were asked for
 *   LIST(p, count)     handles or numbers, and how many
 *   VALUE(p, count)    the value of the first attribute
 */
FUNCTION(C_Initialize, (CK_VOID_PTR init_args), (init_args), 0, NOTHING)
FUNCTION(C_Finalize, (CK_VOID_PTR reserved), (reserved), 0, NOTHING)
FUNCTION(C_GetInfo, (CK_INFO_PTR info), (info), 0, ONE(info))
FUNCTION(C_GetSlotList, (CK_BBOOL token_present, CK_SLOT_ID_PTR list, CK_ULONG_PTR count), (token_present, list, count),
         0, LIST(list, count))
FUNCTION(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO_PTR info), (slot, info), 0, ONE(info))
FUNCTION(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info), (slot, info), 0, ONE(info))
FUNCTION(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count), (slot, list, count), 0,
         LIST(list, count))
FUNCTION(C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info), (slot, type, info),
         0, ONE(info))
FUNCTION(C_InitToken, (CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len, CK_UTF8CHAR_PTR label), (slot, pin,
         pin_len, label), 0, NOTHING)
FUNCTION(C_InitPIN, (CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len), (session, pin, pin_len),
         session, NOTHING)
FUNCTION(C_SetPIN, (CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_len, CK_UTF8CHAR_PTR new_pin,
         CK_ULONG new_len), (session, old_pin, old_len, new_pin, new_len), session, NOTHING)
FUNCTION(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
         CK_SESSION_HANDLE_PTR session), (slot, flags, application, notify, session), 0, ONE(session))
FUNCTION(C_CloseSession, (CK_SESSION_HANDLE session), (session), session, NOTHING)
FUNCTION(C_CloseAllSessions, (CK_SLOT_ID slot), (slot), 0, NOTHING)
FUNCTION(C_GetSessionInfo, (CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info), (session, info), session, ONE(info))
FUNCTION(C_GetOperationState, (CK_SESSION_HANDLE session, CK_BYTE_PTR operation_state, CK_ULONG_PTR
         operation_state_len), (session, operation_state, operation_state_len), session, BYTES(operation_state,
         operation_state_len))
FUNCTION(C_SetOperationState, (CK_SESSION_HANDLE session, CK_BYTE_PTR operation_state, CK_ULONG operation_state_len,
         CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key), (session, operation_state,
         operation_state_len, encryption_key, authentication_key), session, NOTHING)
FUNCTION(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user_type, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len), (session,
         user_type, pin, pin_len), session, NOTHING)
FUNCTION(C_Logout, (CK_SESSION_HANDLE session), (session), session, NOTHING)
FUNCTION(C_CreateObject, (CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR
         object), (session, template, count, object), session, ONE(object))
FUNCTION(C_CopyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count,
         CK_OBJECT_HANDLE_PTR new_object), (session, object, template, count, new_object), session, ONE(new_object))
FUNCTION(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object), session, NOTHING)
FUNCTION(C_GetObjectSize, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG_PTR size), (session, object,
         size), session, ONE(size))
FUNCTION(C_GetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG
         count), (session, object, template, count), session, VALUE(template, count))
FUNCTION(C_SetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG
         count), (session, object, template, count), session, NOTHING)
FUNCTION(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count), (session, template,
         count), session, NOTHING)
FUNCTION(C_FindObjects, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR object, CK_ULONG max_object_count, CK_ULONG_PTR
         object_count), (session, object, max_object_count, object_count), session, LIST(object, object_count))
FUNCTION(C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session), session, NOTHING)
FUNCTION(C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session,
         mechanism, key), session, NOTHING)
FUNCTION(C_Encrypt, (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR encrypted_data,
         CK_ULONG_PTR encrypted_data_len), (session, data, data_len, encrypted_data, encrypted_data_len), session,
         BYTES(encrypted_data, encrypted_data_len))
FUNCTION(C_EncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len, CK_BYTE_PTR encrypted_part,
         CK_ULONG_PTR encrypted_part_len), (session, part, part_len, encrypted_part, encrypted_part_len), session,
         BYTES(encrypted_part, encrypted_part_len))
FUNCTION(C_EncryptFinal, (CK_SESSION_HANDLE session, CK_BYTE_PTR last_encrypted_part, CK_ULONG_PTR
         last_encrypted_part_len), (session, last_encrypted_part, last_encrypted_part_len), session,
         BYTES(last_encrypted_part, last_encrypted_part_len))
FUNCTION(C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session,
         mechanism, key), session, NOTHING)
FUNCTION(C_Decrypt, (CK_SESSION_HANDLE session, CK_BYTE_PTR encrypted_data, CK_ULONG encrypted_data_len, CK_BYTE_PTR
         data, CK_ULONG_PTR data_len), (session, encrypted_data, encrypted_data_len, data, data_len), session,
         BYTES(data, data_len))
FUNCTION(C_DecryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR encrypted_part, CK_ULONG encrypted_part_len,
         CK_BYTE_PTR part, CK_ULONG_PTR part_len), (session, encrypted_part, encrypted_part_len, part, part_len),
         session, BYTES(part, part_len))
FUNCTION(C_DecryptFinal, (CK_SESSION_HANDLE session, CK_BYTE_PTR last_part, CK_ULONG_PTR last_part_len), (session,
         last_part, last_part_len), session, BYTES(last_part, last_part_len))
FUNCTION(C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism), (session, mechanism), session, NOTHING)
FUNCTION(C_Digest, (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR digest, CK_ULONG_PTR
         digest_len), (session, data, data_len, digest, digest_len), session, BYTES(digest, digest_len))
FUNCTION(C_DigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len), (session, part, part_len),
         session, NOTHING)
FUNCTION(C_DigestKey, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key), (session, key), session, NOTHING)
FUNCTION(C_DigestFinal, (CK_SESSION_HANDLE session, CK_BYTE_PTR digest, CK_ULONG_PTR digest_len), (session, digest,
         digest_len), session, BYTES(digest, digest_len))
FUNCTION(C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session, mechanism,
         key), session, NOTHING)
FUNCTION(C_Sign, (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG_PTR
         signature_len), (session, data, data_len, signature, signature_len), session, BYTES(signature, signature_len))
FUNCTION(C_SignUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len), (session, part, part_len),
         session, NOTHING)
FUNCTION(C_SignFinal, (CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len), (session,
         signature, signature_len), session, BYTES(signature, signature_len))
FUNCTION(C_SignRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session,
         mechanism, key), session, NOTHING)
FUNCTION(C_SignRecover, (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
         CK_ULONG_PTR signature_len), (session, data, data_len, signature, signature_len), session, BYTES(signature,
         signature_len))
FUNCTION(C_VerifyInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session,
         mechanism, key), session, NOTHING)
FUNCTION(C_Verify, (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature, CK_ULONG
         signature_len), (session, data, data_len, signature, signature_len), session, NOTHING)
FUNCTION(C_VerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len), (session, part, part_len),
         session, NOTHING)
FUNCTION(C_VerifyFinal, (CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len), (session, signature,
         signature_len), session, NOTHING)
FUNCTION(C_VerifyRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key), (session,
         mechanism, key), session, NOTHING)
FUNCTION(C_VerifyRecover, (CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG signature_len, CK_BYTE_PTR data,
         CK_ULONG_PTR data_len), (session, signature, signature_len, data, data_len), session, BYTES(data, data_len))
FUNCTION(C_DigestEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len, CK_BYTE_PTR
         encrypted_part, CK_ULONG_PTR encrypted_part_len), (session, part, part_len, encrypted_part,
         encrypted_part_len), session, BYTES(encrypted_part, encrypted_part_len))
FUNCTION(C_DecryptDigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR encrypted_part, CK_ULONG encrypted_part_len,
         CK_BYTE_PTR part, CK_ULONG_PTR part_len), (session, encrypted_part, encrypted_part_len, part, part_len),
         session, BYTES(part, part_len))
FUNCTION(C_SignEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR part, CK_ULONG part_len, CK_BYTE_PTR
         encrypted_part, CK_ULONG_PTR encrypted_part_len), (session, part, part_len, encrypted_part,
         encrypted_part_len), session, BYTES(encrypted_part, encrypted_part_len))
FUNCTION(C_DecryptVerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE_PTR encrypted_part, CK_ULONG encrypted_part_len,
         CK_BYTE_PTR part, CK_ULONG_PTR part_len), (session, encrypted_part, encrypted_part_len, part, part_len),
         session, BYTES(part, part_len))
FUNCTION(C_GenerateKey, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template, CK_ULONG
         count, CK_OBJECT_HANDLE_PTR key), (session, mechanism, template, count, key), session, ONE(key))
FUNCTION(C_GenerateKeyPair, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR
         public_key_template, CK_ULONG public_key_attribute_count, CK_ATTRIBUTE_PTR private_key_template, CK_ULONG
         private_key_attribute_count, CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key), (session,
         mechanism, public_key_template, public_key_attribute_count, private_key_template, private_key_attribute_count,
         public_key, private_key), session, ONE(private_key))
FUNCTION(C_WrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
         CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped_key, CK_ULONG_PTR wrapped_key_len), (session, mechanism,
         wrapping_key, key, wrapped_key, wrapped_key_len), session, BYTES(wrapped_key, wrapped_key_len))
FUNCTION(C_UnwrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping_key,
         CK_BYTE_PTR wrapped_key, CK_ULONG wrapped_key_len, CK_ATTRIBUTE_PTR template, CK_ULONG attribute_count,
         CK_OBJECT_HANDLE_PTR key), (session, mechanism, unwrapping_key, wrapped_key, wrapped_key_len, template,
         attribute_count, key), session, ONE(key))
FUNCTION(C_DeriveKey, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base_key,
         CK_ATTRIBUTE_PTR template, CK_ULONG attribute_count, CK_OBJECT_HANDLE_PTR key), (session, mechanism, base_key,
         template, attribute_count, key), session, ONE(key))
FUNCTION(C_SeedRandom, (CK_SESSION_HANDLE session, CK_BYTE_PTR seed, CK_ULONG seed_len), (session, seed, seed_len),
         session, NOTHING)
FUNCTION(C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE_PTR random_data, CK_ULONG random_len), (session,
         random_data, random_len), session, FIXED(random_data, random_len))
FUNCTION(C_GetFunctionStatus, (CK_SESSION_HANDLE session), (session), session, NOTHING)
FUNCTION(C_CancelFunction, (CK_SESSION_HANDLE session), (session), session, NOTHING)
FUNCTION(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved), (flags, slot, reserved), 0,
         ONE(slot))
