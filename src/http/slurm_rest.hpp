// Slurm's REST interface (wire/slurm_rest.hpp) on the same server: requests of slurmrestd's clients.
//
//   SlurmRest rest(controller);
//   rest.handle(request, responder);     // request.slurm is set
//
// Answers have Slurm's documents, error numbers and HTTP codes. Who asks is known as for Virga's own interface; over
// TCP the token may also come as X-SLURM-USER-TOKEN.
#pragma once

#include "control/controller.hpp"
#include "http/exchange.hpp"

namespace virga {

class SlurmRest {
 public:
  explicit SlurmRest(Controller& controller) : controller_(controller) {}

  void handle(const Request& request, const Responder& responder);

 private:
  void jobs(const Request& request, const Responder& responder);
  void job(const Request& request, const Responder& responder);
  void cancel_job(const Request& request, const Responder& responder);
  void accounted_jobs(const Request& request, const Responder& responder);
  void cluster_document(const Request& request, const Responder& responder);

  Controller& controller_;
};

}  // namespace virga
