/* Users: profiles, address books, and the mails that prove who somebody is. */
#pragma once

#include "auth.rpc.h"
#include "users.rpc.h"
#include "users_store.msg.h"
#include <crpc/service.h>

enum { USERS_ADDRESSES_MAX = 50, USERS_MAILS_A_DAY = 5, USERS_VERIFICATIONS_MAX = 20 };

struct users_service {
	int64_t email_token_ttl, reset_token_ttl, mail_delay_max;
	struct auth_client *auth;
	void (*wake)(void); /* the sweeper has something to do; NULL in tests */
};
extern const struct users_service_ops users_service;

/* The user as its owner and staff see it. */
User *users_view(struct rpc_call *call, const UserRecord *record);
int users_not_found(struct rpc_call *call, const char *user); /* USER_NOT_FOUND */
/* Somebody who is registered; USER_NOT_FOUND. */
int users_find(struct rpc_call *call, const char *name, UserRecord **ret);
UserAddress *users_find_address(const UserRecord *record, const char *name);

/*
 * Registering (register.c). The document comes first, then the credential, then the document is
 * made a user's:
 *
 *     REGISTERING --auth has the credential--> REGISTERED
 *                 --auth: EMAIL_TAKEN-------> TAKEN --the owner was told--> REFUSED --a day--> gone
 *                 --two minutes, no credential----------------------------------------------> gone
 *     REGISTERED  --DeleteUser--> DELETING --auth has deleted the credential--> DELETED
 *
 * A taken address takes the same steps as a free one, up to the answer.
 */
int users_create_user(struct users_service *self, struct rpc_call *call,
		      const CreateUserRequest *req, User **ret);
int users_delete_user(struct users_service *self, struct rpc_call *call,
		      const DeleteUserRequest *req, Empty **ret);
/* Finishes what was left on the way, and what is done behind the answer; above 0: there is more.
 * For service_every(). */
int users_sweep(void *data, struct rpc_call *call);

/*
 * Proofs by mail (verifications.c).
 */
UserRecordVerification *verification_new(struct users_service *self, struct rpc_call *call,
					 UserRecordVerificationPurpose purpose);
const char *verification_name(struct rpc_call *call, const UserRecord *record,
			      const UserRecordVerification *verification);
/* How many of a purpose were asked for in the last day. */
int verification_count(struct rpc_call *call, const UserRecord *record,
		       UserRecordVerificationPurpose purpose);
/* Looks whose address it is and asks for the mail, if there is one to be sent. */
int verification_serve_reset(struct users_service *self, struct rpc_call *call,
			     const ResetRequestRecord *request);
int users_request_email_verification(struct users_service *self, struct rpc_call *call,
				     const RequestEmailVerificationRequest *req, Empty **ret);
int users_verify_email(struct users_service *self, struct rpc_call *call,
		       const VerifyEmailRequest *req, VerifyEmailResponse **ret);
int users_request_password_reset(struct users_service *self, struct rpc_call *call,
				 const RequestPasswordResetRequest *req, Empty **ret);
int users_reset_password(struct users_service *self, struct rpc_call *call,
			 const ResetPasswordRequest *req, Empty **ret);
int users_issue_verification_token(struct users_service *self, struct rpc_call *call,
				   const IssueVerificationTokenRequest *req,
				   IssueVerificationTokenResponse **ret);

/*
 * The address book (addresses.c).
 */
int users_create_address(struct users_service *self, struct rpc_call *call,
			 const CreateAddressRequest *req, UserAddress **ret);
int users_get_address(struct users_service *self, struct rpc_call *call,
		      const GetAddressRequest *req, UserAddress **ret);
int users_list_addresses(struct users_service *self, struct rpc_call *call,
			 const ListAddressesRequest *req, ListAddressesResponse **ret);
int users_update_address(struct users_service *self, struct rpc_call *call,
			 const UpdateAddressRequest *req, UserAddress **ret);
int users_delete_address(struct users_service *self, struct rpc_call *call,
			 const DeleteAddressRequest *req, Empty **ret);
