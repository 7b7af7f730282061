// The catalogue's methods over one product in memory, on gRPC C++'s callback API: server-cc ADDRESS PRODUCT.JSON
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <google/protobuf/util/json_util.h>
#include <iostream>
#include <sstream>

#include "bench.grpc.pb.h"
#include "souk/catalog/v1/catalog.grpc.pb.h"

namespace catalog = souk::catalog::v1;
namespace bench = souk::bench::v1;

class Catalog final : public catalog::CatalogService::CallbackService {
public:
	explicit Catalog(const catalog::Product &product) : product_(product)
	{
	}

	// The answer belongs to the library: it can but be copied into.
	grpc::ServerUnaryReactor *GetProduct(grpc::CallbackServerContext *context, const catalog::GetProductRequest *request,
					     catalog::Product *response) override
	{
		auto *reactor = context->DefaultReactor();
		response->CopyFrom(product_);
		response->set_name(request->name());
		reactor->Finish(grpc::Status::OK);
		return reactor;
	}

private:
	const catalog::Product &product_;
};

class Writer final : public grpc::ServerWriteReactor<bench::StreamMessage> {
public:
	Writer(int count, int size) : left_(count)
	{
		message_.set_text(std::string(size, 'x'));
		Next();
	}
	void OnWriteDone(bool ok) override
	{
		if (ok)
			Next();
		else
			Finish(grpc::Status::CANCELLED);
	}
	void OnDone() override
	{
		delete this;
	}

private:
	void Next()
	{
		if (left_-- > 0)
			StartWrite(&message_);
		else
			Finish(grpc::Status::OK);
	}

	int left_;
	bench::StreamMessage message_;
};

class Streams final : public bench::StreamService::CallbackService {
	grpc::ServerWriteReactor<bench::StreamMessage> *Stream(grpc::CallbackServerContext *,
							       const bench::StreamRequest *request) override
	{
		return new Writer(request->count(), request->size());
	}
};

int main(int, char **argv)
{
	std::ifstream file(argv[2]);
	std::stringstream text;
	catalog::Product product;

	text << file.rdbuf();
	if (!google::protobuf::util::JsonStringToMessage(text.str(), &product).ok()) {
		std::cerr << argv[2] << " is no product" << std::endl;
		return 1;
	}
	Catalog service(product);
	Streams stream;
	grpc::ServerBuilder builder;
	builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
	builder.RegisterService(&service);
	builder.RegisterService(&stream);
	auto server = builder.BuildAndStart();
	if (!server) {
		std::cerr << "cannot listen on " << argv[1] << std::endl;
		return 1;
	}
	server->Wait();
}
