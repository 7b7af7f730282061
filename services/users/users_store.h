/* Users' documents: a user each with all that is theirs, and the mails that were asked for. */
#pragma once

#include "users.h"
#include <common/answers.h>
#include <common/mongo.h>

/* Results are those of mongo.h. */
int user_read(struct rpc_call *call, const char *id, UserRecord **ret);
int user_insert(struct rpc_call *call, UserRecord *record);
int user_answer(struct rpc_call *call, const char *id, const struct answers_key *key, User **ret);
int user_page(struct rpc_call *call, const ListUsersRequest *req, const bson_t *filter,
	      ListUsersResponse *response, UserRecord ***ret, size_t *n_ret);
/* Some at that stage whose last step was before `before_ms`. */
int user_find_stage(struct rpc_call *call, UserRecordStage stage, int64_t before_ms,
		    UserRecord ***ret, size_t *n_ret);

/* All these change the record that was read, if its version is still the same: MONGO_NOT_MATCHED.
 */
int user_touch(struct rpc_call *call, UserRecord *record); /* while it is REGISTERING */
int user_register(struct rpc_call *call, UserRecord *record,
		  const UserRecordVerification *verification, const struct stored_answer *answer);
int user_refuse(struct rpc_call *call, UserRecord *record,
		const struct stored_answer *answer); /* TAKEN */
int user_save_profile(struct rpc_call *call, UserRecord *record);
int user_mark_verified(struct rpc_call *call, UserRecord *record,
		       const UserRecordVerification *verification);
int user_erase(struct rpc_call *call, UserRecord *record); /* DELETING */
int user_set_stage(struct rpc_call *call, const UserRecord *record, UserRecordStage stage);
int user_remove(struct rpc_call *call, const UserRecord *record);

/* Adds one that is not there yet; earlier ones of the purpose are void. MONGO_NOT_MATCHED. */
int user_add_verification(struct rpc_call *call, const UserRecord *record,
			  const UserRecordVerification *verification);
/* Gives it a token, if it is not used, void or replaced: MONGO_NOT_MATCHED. */
int user_set_token(struct rpc_call *call, const char *id,
		   const UserRecordVerification *verification);
/* Its token is used, by one of many who try at once: MONGO_NOT_MATCHED. Or it was not, after all.
 */
int user_use_token(struct rpc_call *call, const char *id,
		   const UserRecordVerification *verification);
int user_restore_token(struct rpc_call *call, const char *id,
		       const UserRecordVerification *verification);

/* The address book: its changes leave the user's version as it is, but for a removal, since a
 * default may go with it. */
int user_add_address(struct rpc_call *call, const UserRecord *record, const UserAddress *address,
		     const struct stored_answer *answer);
int user_save_address(struct rpc_call *call, const UserRecord *record, const UserAddress *address,
		      const char *etag);
int user_remove_address(struct rpc_call *call, UserRecord *record, const UserAddress *address);

int reset_request_insert(struct rpc_call *call, const char *email);
int reset_request_find(struct rpc_call *call, ResetRequestRecord ***ret, size_t *n_ret);
int reset_request_remove(struct rpc_call *call, const ResetRequestRecord *record);

int user_sweep_answers(struct rpc_call *call);
/* The address as it is looked for. */
const char *user_email_key(struct rpc_call *call, const char *email);
